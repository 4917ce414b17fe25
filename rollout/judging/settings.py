"""What the judge of a rollout tolerates, and how sure it must be."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rollout.page_bounds import PageBounds

FROZEN = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CheckSettings(BaseModel):
    """What every check has in common."""

    model_config = FROZEN

    enabled: bool = Field(True, description="Whether the check is made.")
    required: bool = Field(
        True,
        description="Whether an inconclusive result holds the rollout. False: only a failure or an error "
        "counts.",
    )


class RateCheckSettings(CheckSettings):
    """A share of requests that must not rise."""

    margin: float = Field(
        gt=0,
        lt=1,
        description="Largest rise over the baseline's share that is tolerated, a share of the requests.",
    )


class LatencyCheckSettings(CheckSettings):
    """Latencies that must not rise."""

    quantiles: tuple[float, ...] = Field(
        (0.5, 0.99),
        min_length=1,
        description="Quantiles compared, 0…1. A high one needs many requests: 0.99 some 3,000 in each arm. "
        "A low one shows early that everything is slower.",
    )
    ratio: float = Field(
        1.25, ge=1, le=10, description="A quantile may be this many times the baseline's, no unit."
    )
    allowance_ms: float = Field(
        10.0,
        ge=0,
        le=10_000,
        description="Or this much above the baseline's, where that is more, milliseconds.",
    )

    @model_validator(mode="after")
    def _quantiles_fit(self) -> LatencyCheckSettings:
        if not all(0.0 < quantile < 1.0 for quantile in self.quantiles):
            raise ValueError(f"quantiles must lie between 0 and 1, got {list(self.quantiles)}")
        if len(set(self.quantiles)) < len(self.quantiles):
            raise ValueError(f"quantiles must differ, got {list(self.quantiles)}")
        return self


class DriftCheckSettings(CheckSettings):
    """How far the candidate's scores may be distributed from the baseline's."""

    psi: float = Field(
        0.25,
        gt=0,
        le=10,
        description="Largest population stability index tolerated, over ten groups of scores; by custom 0.1 "
        "is a small shift and 0.25 a large one, no unit.",
    )
    ks: float = Field(0.3, gt=0, lt=1, description="Largest Kolmogorov-Smirnov distance tolerated, 0…1.")


class OverlapCheckSettings(CheckSettings):
    """How much of the stable version's best items the candidate must keep, in shadow."""

    k: int = Field(20, ge=1, le=1_000, description="Best items of each version that are compared.")
    minimum: float = Field(
        0.3, gt=0, lt=1, description="Smallest mean share of them in both that is tolerated, 0…1."
    )
    min_requests: int = Field(
        100, ge=1, description="Requests scored by both below which there is no verdict."
    )


class PageCheckSettings(CheckSettings):
    """How many requests, and requests of one crowd, scene or number of candidates, may be too different."""

    bounds: PageBounds = Field(PageBounds(), description="When one request counts as too different.")
    share: float = Field(
        0.02,
        gt=0,
        lt=1,
        description="Largest share of all requests beyond the bounds that is tolerated, 0…1.",
    )
    group_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Largest share of the requests of one group (a crowd, a scene, a range of numbers of "
        "candidates) beyond the bounds that is tolerated, 0…1. Above `share`: a group is less even than all.",
    )
    min_requests: int = Field(100, ge=1, description="Requests scored by both below which there is no pass.")
    group_min_requests: int = Field(
        20, ge=1, description="Requests of a group below which it is judged with the others only."
    )
    unsteady_share: float = Field(
        0.02,
        gt=0,
        lt=1,
        description="In preparation: largest share of requests that is tolerated whose scores, asked for "
        "again, are beyond the bounds of the scores before, 0…1.",
    )


class FeedbackCheckSettings(CheckSettings):
    """What shoppers do with what they are shown must not fall."""

    margin: float = Field(
        gt=0,
        lt=1,
        description="Largest fall relative to the baseline's rate that is tolerated, 0…1. Impressions needed "
        "in each arm grow with one over its square: at a rate of 5 %, some 45,000 for 0.1.",
    )


class JudgeSettings(BaseModel):
    """Thresholds of the judge, which compares a candidate with a baseline group of the same size.

    A check fails once it is sure that a threshold is passed, passes once it is sure that it is not, and is
    inconclusive until then.
    """

    model_config = FROZEN

    alpha: float = Field(
        0.05,
        gt=0,
        le=0.5,
        description="Chance that a candidate within every threshold is ever failed, however often it is "
        "looked at; shared evenly among the checks. Also each check's chance of passing one beyond it.",
    )
    min_requests: int = Field(
        100, ge=1, description="Requests in each arm below which there is no verdict on traffic."
    )
    min_users: int = Field(
        20, ge=1, description="Shoppers in each arm below which there is no verdict on traffic."
    )
    errors: RateCheckSettings = Field(RateCheckSettings(margin=0.01), description="Requests that failed.")
    degraded: RateCheckSettings = Field(
        RateCheckSettings(margin=0.02), description="Answers that something did not take part in."
    )
    empty: RateCheckSettings = Field(RateCheckSettings(margin=0.01), description="Answers without an item.")
    short: RateCheckSettings = Field(
        RateCheckSettings(margin=0.02), description="Answers with some, but fewer items than wanted."
    )
    dissatisfied: RateCheckSettings = Field(
        RateCheckSettings(margin=0.05, required=False),
        description="Ratings (SendFeedback with the answer's token) whose mean is below 4; the margin is a "
        "share of the ratings. Few shoppers rate, so that by default only a failure counts.",
    )
    latency: LatencyCheckSettings = Field(
        LatencyCheckSettings(), description="Time from a request's arrival to its answer."
    )
    drift: DriftCheckSettings = Field(DriftCheckSettings(), description="Distribution of the model's scores.")
    overlap: OverlapCheckSettings = Field(
        OverlapCheckSettings(), description="Best items in common; judged where a request was scored by both."
    )
    pages: PageCheckSettings = Field(
        PageCheckSettings(),
        description="Requests whose order, best items or scores are too different; judged in preparation, in "
        "shadow and on a sample of the candidate's answers in every stage with traffic.",
    )
    ctr: FeedbackCheckSettings = Field(
        FeedbackCheckSettings(margin=0.1), description="Clicks of the impressions; needs reported events."
    )
    cvr: FeedbackCheckSettings = Field(
        FeedbackCheckSettings(margin=0.2, required=False),
        description="Conversions of the impressions; needs reported events, and so many that by default "
        "only a failure counts.",
    )
