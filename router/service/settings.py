"""Settings of admission and request logs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from foundation.telemetry.logs.user_ids import UserIdMode


class AdmissionSettings(BaseModel):
    """How much work one replica takes on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_concurrent: int = Field(
        256,
        ge=1,
        description="Calls in progress per replica; above it calls are refused.",
    )
    max_working: int = Field(
        1,
        ge=1,
        description="Calls per replica that compute at once, of those in progress; those waiting for Triton "
        "or Redis do not count. The others wait their turn: more would lengthen each turn of the event loop, "
        "and get no more done.",
    )
    busy_from: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Part of its time, 0 to 1, from which on a replica's event loop counts as full; then "
        "calls that cannot be answered before their deadline are refused at once.",
    )
    patience_s: float = Field(
        2.0,
        gt=0,
        description="Seconds from arrival within which a call is to be answered that sets no sooner "
        "deadline, by timeout_ms or, where the ingress sees it, gRPC; a scene's budget counts from its turn.",
    )
    waiting_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Part of the time left to a call, 0 to 1, that it may wait for its turn while the loop "
        "is full; the rest is for its answer. More takes on longer bursts, and cuts off more stages.",
    )
    retry_at_least_s: float = Field(
        0.1,
        gt=0,
        description="Seconds a refused caller is asked to wait at least, give or take a half; longer where "
        "what is in progress takes longer.",
    )
    retry_at_most_s: float = Field(
        5.0, gt=0, description="Seconds a refused caller is asked to wait at most."
    )


class RequestLogSettings(BaseModel):
    """What is written about calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(
        Path("build/sample/logs"), description="Folder of router.log and of the replicas' logs."
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lines of this level and above are written."
    )
    user_ids: UserIdMode = Field(
        "hashed",
        description="How shoppers' ids stand in log lines and traces: hashed: a pseudonym made with `salt`; "
        "omitted: not at all; clear: as they are.",
    )
    salt: str = Field(
        "",
        description="Key of the shoppers' pseudonyms in logs; empty takes a fresh one at every start, so "
        "that pseudonyms cannot be traced over restarts.",
    )
    log_answers: bool = Field(
        False, description="Log whole answers too, not only those degraded, refused or failed."
    )
    max_file_mib: float = Field(
        64.0,
        ge=0,
        le=65_536,
        description="MiB at which a log file is renamed to `<name>.1` and begun anew; 0: never.",
    )
    kept_files: int = Field(
        3, ge=1, le=100, description="Renamed files kept of each log; the oldest is removed."
    )
