"""Settings of the feature log of a process; scenes switch it on by their key `feature_log`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator


class FeatureLogSettings(BaseModel):
    """Where the answers of scenes with `feature_log.enabled` are written, and how much is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(
        Path("build/sample/features"),
        description="Folder of the feature log, one file at a time per replica, readable by its owner alone.",
    )
    file_bytes: int = Field(
        16 * 2**20, ge=2**12, description="Bytes of a file after which a replica begins the next."
    )
    max_bytes: int = Field(
        2**30,
        ge=2**12,
        description="Bytes that all files of the folder may take together, give or take a file per replica; "
        "above it the file that was written longest ago is deleted.",
    )
    sync_s: float = Field(
        1.0,
        gt=0,
        description="Seconds between two syncs of the file to the disk: what a machine that goes down loses.",
    )
    buffered_answers: int = Field(
        1_000, ge=1, description="Answers a replica holds for the disk; further ones are not written."
    )
    buffered_bytes: int = Field(
        16 * 2**20, ge=2**12, description="Bytes of answers a replica holds for the disk; likewise."
    )

    @model_validator(mode="after")
    def _room_for_two_files(self) -> FeatureLogSettings:
        if 2 * self.file_bytes > self.max_bytes:
            raise ValueError(
                f"max_bytes must be at least twice file_bytes ({self.file_bytes}), got {self.max_bytes}: one "
                "file is written while others are kept"
            )
        return self
