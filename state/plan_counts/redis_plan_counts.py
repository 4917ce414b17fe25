"""Counts of exposure plans in Redis: a hash for each plan, replica → the replica's count."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import cast

import redis

from state.errors import StateStoreError
from state.plan_counts.plan_count import KEPT_AFTER_END_S, PlanCount, encode_count, plan_key, total_of
from state.redis_keys import RedisKeys


def exchange(
    client: redis.Redis,
    keys: RedisKeys,
    replica: str,
    own: Mapping[str, PlanCount],
    plans: Mapping[str, int],
    now: int,
) -> dict[str, PlanCount]:
    """See `StateStore.exchange_plan_counts`; one transaction. Raises what the client raises."""
    if not plans:
        return {}
    with client.pipeline(transaction=True) as transaction:
        for plan, count in own.items():
            forget_at = plans[plan] + KEPT_AFTER_END_S
            transaction.hset(keys.plan(plan_key(plan)), replica, cast(str, encode_count(count, forget_at)))
            transaction.expire(keys.plan(plan_key(plan)), max(forget_at - now, 1))
        for plan in plans:
            transaction.hvals(keys.plan(plan_key(plan)))
        answers = transaction.execute()
    found = cast("list[list[bytes]]", answers[-len(plans) :])
    try:
        return {plan: total_of(values) for plan, values in zip(plans, found, strict=True)}
    except struct.error as error:
        raise StateStoreError(f"a count of an exposure plan is corrupt: {error}") from error
