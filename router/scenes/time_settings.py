"""The settings of the time a scene's answers take. Every key has a default; times are milliseconds."""

from __future__ import annotations

from pydantic import BaseModel, Field, model_validator

from router.scenes.strict import STRICT


class DeadlineSettings(BaseModel):
    """The time an answer may take and how it is divided among the stages."""

    model_config = STRICT

    budget_ms: float = Field(
        default=300.0,
        gt=0,
        le=10_000,
        description="Milliseconds that are worked on an answer where the caller sets no limit; when the "
        "router is full, a call may wait before them.",
    )
    reserve_ms: float = Field(
        default=5.0,
        ge=0,
        le=1000,
        description="Milliseconds kept back for encoding and sending the answer; at most half of the time.",
    )
    recall_share: float = Field(
        default=0.5, gt=0, le=1, description="Part of the time after which no channel is waited for."
    )
    prerank_share: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="Part of the time, after recall's, within which candidates are narrowed by prerank.",
    )
    rerank_share: float = Field(
        default=0.1, ge=0, lt=1, description="Part of the time kept for arranging the page after ranking."
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> DeadlineSettings:
        if self.recall_share + self.rerank_share > 1:
            raise ValueError(
                "recall_share and rerank_share must sum to at most 1, got "
                f"{self.recall_share} + {self.rerank_share}"
            )
        return self


class QualitySettings(BaseModel):
    """How a scene narrows while it is slow, so that stages are not cut off at their deadlines.

    A factor moves up by `step` after an answer within the target, and down by step x percentile /
    (100 - percentile) after a later one. Requests are given that part of `k` and of candidates, in `levels`.
    """

    model_config = STRICT

    target_ms: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="Milliseconds from arrival to page at which the percentile settles; null = half of "
        "deadline.budget_ms.",
    )
    percentile: float = Field(
        default=95.0, gt=0, lt=100, description="Percentile of latency held at the target, 0 to 100."
    )
    step: float = Field(
        default=0.002, gt=0, le=0.1, description="What one answer within the target widens requests by."
    )
    minimum: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Least part of its width, 0 to 1, that a request is given; never less than a page.",
    )
    levels: int = Field(
        default=4,
        ge=2,
        le=100,
        description="Number of widths, from 1 to `minimum` in equal parts. Few, so that replicas give the "
        "same page for the same request.",
    )
    recover_s: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="Seconds after a slow answer at which requests have their full width again if no other "
        "slow one follows, however few are answered.",
    )
    widen_every_s: float = Field(
        default=15.0,
        gt=0,
        le=3_600,
        description="Seconds between the moments at which requests may become wider, by one level: multiples "
        "of it since 1970, so that all replicas widen together.",
    )
