"""Counts of exposure plans in LMDB: database `plan_counts`, plan key and replica → the replica's count."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

import lmdb

from foundation.storage.lmdb_environment import Database
from state.errors import StateStoreError
from state.plan_counts.plan_count import (
    KEPT_AFTER_END_S,
    PlanCount,
    decode_count,
    encode_count,
    plan_key,
    total_of,
)

PLAN_COUNTS = b"plan_counts"


class LmdbPlanCounts:
    """Reads and writes counts inside transactions."""

    def __init__(self, databases: Mapping[bytes, Database]) -> None:
        """`databases`: the environment's, whose handles may change."""
        self._databases = databases

    def put(
        self,
        transaction: lmdb.Transaction,
        replica: str,
        own: Mapping[str, PlanCount],
        plans: Mapping[str, int],
        now: int,
    ) -> None:
        """Replaces what `replica` has counted; a new row takes the place of what may be forgotten."""
        is_new = False
        for plan, count in own.items():
            key = plan_key(plan) + replica.encode()
            is_new = is_new or transaction.get(key, db=self._database) is None
            transaction.put(key, encode_count(count, plans[plan] + KEPT_AFTER_END_S), db=self._database)
        if is_new:
            with transaction.cursor(db=self._database) as cursor:
                forgotten = [bytes(key) for key, value in cursor if _forget_at(bytes(value)) <= now]
            for key in forgotten:
                transaction.delete(key, db=self._database)

    def totals(self, transaction: lmdb.Transaction, plans: Mapping[str, int]) -> dict[str, PlanCount]:
        """The sum over replicas for each of the plans."""
        try:
            return {plan: total_of(self._values(transaction, plan_key(plan))) for plan in plans}
        except struct.error as error:
            raise _corrupt(error) from error

    def _values(self, transaction: lmdb.Transaction, prefix: bytes) -> Iterator[bytes]:
        with transaction.cursor(db=self._database) as cursor:
            if cursor.set_range(prefix):
                for key, value in cursor:
                    if not bytes(key).startswith(prefix):
                        return
                    yield bytes(value)

    @property
    def _database(self) -> Database:
        return self._databases[PLAN_COUNTS]


def _forget_at(value: bytes) -> int:
    """Unix second from which a stored count may be deleted."""
    try:
        return decode_count(value)[1]
    except struct.error as error:
        raise _corrupt(error) from error


def _corrupt(error: struct.error) -> StateStoreError:
    return StateStoreError(f"a count of an exposure plan is corrupt: {error}")
