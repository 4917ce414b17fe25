"""Settings of picking up new snapshots."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class SnapshotWatchSettings(BaseModel):
    """Where snapshots lie and how new ones are picked up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(Path("build/sample/snapshots"), description="Root of the sealed snapshots.")
    poll_interval_s: float = Field(
        1.0, gt=0, description="Seconds between two looks at `current` and at the scene configuration."
    )
    models_warn_after_s: float = Field(
        60.0,
        gt=0,
        description="Seconds a new snapshot waits for its models on Triton before that is logged as a fault. "
        "It goes on waiting, and the old one goes on serving.",
    )
