"""Settings of the table of standard categories."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class StandardCategorySettings(BaseModel):
    """Where the levels come from where the shop does not name both."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    separator: str = Field(
        default=">", min_length=1, max_length=8, description="Between the levels of a category's path."
    )
    fine_count: int = Field(
        default=400,
        ge=2,
        le=20_000,
        description="Most categories of the finer level; more leaf categories than these are put together "
        "by who takes from them.",
    )
    coarse_count: int = Field(
        default=40, ge=1, le=5_000, description="The same of the coarser level, put together from the finer."
    )
    dimensions: int = Field(
        default=32, ge=2, le=256, description="Length of the vectors by which categories are put together."
    )
