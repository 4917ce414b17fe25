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
    verify_interval_s: float = Field(
        60.0,
        gt=0,
        description="Seconds between two verifications of the snapshot that is served, by the checksums of "
        "its files. Where it is damaged the newest intact one serves instead.",
    )
    verify_mib_per_s: float = Field(
        100.0,
        gt=0,
        description="MiB that each replica reads per second, at most, to verify the snapshot on schedule; "
        "a tenth of a core. At start and after a bug it reads as fast as it can.",
    )
    verify_after_bug_s: float = Field(
        10.0,
        gt=0,
        description="Seconds between two verifications that bugs cause, at least: each call that ends "
        "INTERNAL may be the work of a damaged file. As often while a damaged snapshot serves.",
    )
