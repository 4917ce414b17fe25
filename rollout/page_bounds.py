"""By how much one request's scores by two versions may differ."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

FROZEN = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PageBounds(BaseModel):
    """When one request counts as too different: what good retrainings stay within but in a few requests."""

    model_config = FROZEN

    min_overlap: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Least share of the stable version's best items among the candidate's best, 0…1.",
    )
    min_order: float = Field(
        0.5,
        ge=-1,
        le=1,
        description="Least rank correlation of all candidates by the two versions' own scores, −1…1; for n "
        "candidates 3/√(n − 1) less, by which chance moves it.",
    )
    max_shift: float = Field(
        1.0, gt=0, le=50, description="Largest mean change of the scores' log-odds, up or down; no unit."
    )
    max_spread: float = Field(
        2.0,
        gt=1,
        le=1_000,
        description="Largest ratio of the standard deviations of the log-odds, either way; no unit.",
    )
    max_best: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Largest share of the candidates that the stable version puts before the candidate's "
        "first item, 0…1.",
    )
    min_candidates: int = Field(
        20, ge=2, description="Candidates below which the best items are not compared, but all else is."
    )
