"""Settings of admission and request logs."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class AdmissionSettings(BaseModel):
    """How much work one replica takes on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_concurrent: int = Field(
        64, ge=1, description="Calls in progress per replica; above it callers are told to retry."
    )
    retry_after_s: float = Field(
        0.5, gt=0, description="Seconds a caller is asked to wait before it retries."
    )


class RequestLogSettings(BaseModel):
    """What is written about calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(
        Path("build/sample/logs"), description="Folder of router.log and of the replicas' logs."
    )
    salt: str = Field(
        "",
        description="Key of the shoppers' pseudonyms in logs; empty takes a fresh one at every start, so "
        "that pseudonyms cannot be traced over restarts.",
    )
    log_answers: bool = Field(
        False, description="Log whole answers too, not only those degraded, refused or failed."
    )
