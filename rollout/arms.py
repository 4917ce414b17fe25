"""Which arm of a rollout a shopper is in, and the ticket that a query in that arm carries.

The candidate's group is the buckets [0, w), the baseline's the last w ones: both only grow as w rises, so
no shopper changes arms, and up to 50 % the groups have the same size. Only these two groups are compared,
since both began at the same time; the rest of production is in neither.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from foundation.statistics.assignment import BUCKETS, bucket
from recall.query import Query
from recall.rollout_ticket import RolloutTicket
from rollout.record import WHOLE, Rollout


class Arm(StrEnum):
    """An arm of a rollout."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"
    SHADOW = "shadow"
    """Answered by the stable version; the candidate scores a copy afterwards."""


def arm_of(rollout: Rollout, user_id: str) -> Arm | None:
    """The group a shopper is in while the rollout runs at its weight; None: in neither.

    Anonymous shoppers are in none, since nothing would keep them in one arm; at a weight of 100 % the
    candidate answers them too.
    """
    weight = rollout.weight_bp
    if weight <= 0:
        return None
    if weight >= BUCKETS:
        return Arm.CANDIDATE
    if not user_id:
        return None
    at = bucket(rollout.id, user_id)
    if at < weight:
        return Arm.CANDIDATE
    return Arm.BASELINE if at >= max(weight, BUCKETS - weight) else None


def ticket_for(rollout: Rollout, arm: Arm) -> RolloutTicket:
    """The ticket of a new query in `arm` of a running or settling rollout."""
    return RolloutTicket(
        rollout_id=rollout.id,
        arm=arm,
        model=rollout.model,
        stable=rollout.stable,
        candidate=rollout.candidate,
        stage=rollout.counted_stage,
        has_baseline=rollout.weight_bp < WHOLE,
    )


def with_version(query: Query, model: str, version: int) -> Query:
    """The query, to be scored by one version of `model` and outside every rollout."""
    return replace(query, model_versions={**query.model_versions, model: str(version)}, rollout=None)
