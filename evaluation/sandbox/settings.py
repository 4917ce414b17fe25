"""Settings of the sandbox test."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SandboxSettings(BaseModel):
    """How much is replayed, and what a change must not do."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seed: int = Field(1, ge=0, description="Seed of the groups that candidates are dealt to.")
    pages: int = Field(
        300,
        ge=20,
        le=20_000,
        description="Pages of recorded requests that are replayed, the newest, at most.",
    )
    least_pages: int = Field(20, ge=2, description="Pages below which no verdict is given.")
    groups: int = Field(
        5, ge=2, le=50, description="Random groups that the candidates of a page are dealt to."
    )
    level: float = Field(0.95, gt=0, lt=1, description="Probability that an interval is to cover, 0…1.")
    known: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Least share of the requests of named shoppers whose shopper is known here, 0…1.",
    )
    short: float = Field(
        0.01, ge=0, le=1, description="Most by which the share of empty slots may rise, of 1."
    )
    alone: float = Field(
        0.001,
        ge=0,
        description="Most by which a score may change where its candidates are scored group by group, in "
        "standard deviations of the scores of the page's candidates.",
    )
    margin: float = Field(
        0.05,
        ge=0,
        description="Part of the page's mean score, by the present ranking, that the change may surely cost.",
    )
    draws: int = Field(
        20_000, ge=100, le=1_000_000, description="Logged draws of off-policy estimates, the newest, at most."
    )
    effective_draws: float = Field(
        100.0, ge=2, description="Least effective number of draws of an off-policy estimate."
    )
    fidelity: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Least share of the draws whose logged probability a replay gives again, to a tenth.",
    )
    click_margin: float = Field(
        0.1, ge=0, description="Part of the logged click rate that the change may surely cost."
    )
