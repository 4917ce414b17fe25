"""Settings of the recording of requests."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

RecordedMethod = Literal["Recommend", "RecommendPage", "SimilarItems", "ReportEvents"]
WhenFull = Literal["stop", "drop_oldest"]


class RecordingSettings(BaseModel):
    """Which requests are kept on disk for replay by `shopfront loadtest --replay`, and how much of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(False, description="Record requests.")
    folder: Path = Field(
        Path("build/sample/recordings"),
        description="Folder of the recordings, one file at a time per replica, readable by its owner alone.",
    )
    methods: tuple[RecordedMethod, ...] = Field(
        ("Recommend", "RecommendPage", "SimilarItems"),
        min_length=1,
        description="Methods recorded, of Recommend, RecommendPage, SimilarItems and ReportEvents. Events "
        "that are replayed change the state of the shoppers they speak of.",
    )
    share: float = Field(
        0.01,
        ge=0.0001,
        le=1,
        description="Part of the shoppers whose requests are recorded, 0.0001 to 1, the same shoppers on "
        "every replica; of anonymous requests, that part of the requests.",
    )
    keep_user_ids: bool = Field(
        False,
        description="Write shoppers' ids and search queries as they are; false: ids are replaced by "
        "pseudonyms made with `salt`, the same for the same shopper, and queries are left out.",
    )
    salt: str = Field(
        "",
        description="Key of the pseudonyms and of the choice of shoppers; empty takes a fresh one at every "
        "start, so that pseudonyms cannot be traced over restarts.",
    )
    file_bytes: int = Field(
        64 * 2**20, ge=2**12, description="Bytes of a file after which a replica begins the next."
    )
    max_bytes: int = Field(
        2**30,
        ge=2**12,
        description="Bytes that all files of the folder may take together, give or take a file per replica.",
    )
    when_full: WhenFull = Field(
        "stop",
        description="At `max_bytes`: stop recording until files are taken away, or drop_oldest: delete the "
        "file that was written longest ago.",
    )
    buffered_requests: int = Field(
        1_000, ge=1, description="Requests a replica holds for the disk; further ones are not recorded."
    )
    buffered_bytes: int = Field(
        16 * 2**20, ge=2**12, description="Bytes of requests a replica holds for the disk; likewise."
    )

    @model_validator(mode="after")
    def _room_for_a_file(self) -> RecordingSettings:
        if self.file_bytes > self.max_bytes:
            raise ValueError(
                f"file_bytes {self.file_bytes} is more than max_bytes {self.max_bytes}; one file must fit"
            )
        return self
