"""What an exposure plan promises and limits: the part of a rule that blocks and pins do not have."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_EXPOSURES = 1_000_000_000
_SLACK_SHARE = 100
_LEAST_SLACK = 10


class PlanTerms(BaseModel):
    """Exposures within the plan's window, which ends when its rule expires. Times are unix seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    starts_at: int = Field(
        default=0,
        ge=0,
        description="Exposures count from here on. 0 where a plan is added: from now on, or as the plan that "
        "it replaces.",
    )
    guarantee: int = Field(
        default=0, ge=0, le=MAX_EXPOSURES, description="Exposures that are to be reached; 0 = none."
    )
    cap: int | None = Field(
        default=None, ge=1, le=MAX_EXPOSURES, description="Exposures at most; null = any number."
    )
    slack: int | None = Field(
        default=None,
        ge=1,
        le=MAX_EXPOSURES,
        description="Exposures under a cap that a replica may show before the others know of them; null = a "
        f"hundredth of the cap, at least {_LEAST_SLACK}.",
    )
    even: bool = Field(
        default=True, description="Spread evenly over the window; false = as soon as possible."
    )

    @model_validator(mode="after")
    def _it_can_be_kept(self) -> PlanTerms:
        if not self.guarantee and self.cap is None:
            raise ValueError("a plan guarantees or caps something: give guarantee, cap or both")
        if self.cap is not None and self.guarantee > self.cap:
            raise ValueError(
                f"the plan contradicts itself: it guarantees {self.guarantee:,} exposures and caps them at "
                f"{self.cap:,}"
            )
        if self.slack is not None and self.cap is None:
            raise ValueError("slack is that of a cap, and the plan has none")
        return self

    @property
    def slack_exposures(self) -> int:
        """The slack in exposures; 0 where there is no cap."""
        if self.cap is None:
            return 0
        return max(self.cap // _SLACK_SHARE, _LEAST_SLACK) if self.slack is None else self.slack
