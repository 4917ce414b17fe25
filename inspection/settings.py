"""Settings of what operators may look at."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class InspectionSettings(BaseModel):
    """What AdminService shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        True, description="Answer AdminService at all; false: every call of it is PERMISSION_DENIED."
    )
    changes: bool = Field(
        True,
        description="Whether operators may change business rules and scenes through AdminService; false: it "
        "only shows.",
    )
    recent_pages: int = Field(
        200, ge=0, le=10_000, description="Answered pages that each replica keeps in memory to be looked at."
    )
    scene_history: Path = Field(
        Path("build/sample/scene_history"),
        description="Folder of what operators changed of the scene file, the newest 200 changes with both "
        "contents; in its folder experiments/ of what they changed of the file of experiments.",
    )
    search_items: int = Field(
        500_000,
        ge=1,
        description="Most items whose titles one search looks through, the best known first; some 0.3 µs "
        "each.",
    )
    evaluation: Path = Field(
        Path("build/sample/evaluation"),
        description="Folder of the tables that `shopfront evaluate` wrote, as JSON.",
    )
    experiments: Path = Field(
        Path("build/sample/experiments"),
        description="Folder of the reports that `shopfront experiment report` wrote, as JSON.",
    )
