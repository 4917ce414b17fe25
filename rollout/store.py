"""The interface of the stores in which rollouts are durable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rollout.record import ArmStatisticsRow, HistoryEntry, Lease, ModelRecord


class RolloutStore(Protocol):
    """Shared by every replica that answers for one shop. Calls block for the disk or the network.

    Every method raises `RolloutStoreError` where the store fails.
    """

    def read(self, model: str) -> ModelRecord:
        """The record of a model; the one of generation 0 where nothing was ever written."""
        ...

    def compare_and_swap(self, record: ModelRecord, entry: HistoryEntry) -> bool:
        """Replaces the record of generation `record.generation − 1` and adds `entry` to the history.

        Both or, where the stored record has another generation, neither (False). Durable on return.
        """
        ...

    def read_history(self, model: str, after: int = 0, limit: int = 100) -> list[tuple[int, HistoryEntry]]:
        """At most `limit` entries of a model with numbers above `after`, oldest first."""
        ...

    def put_arm_statistics(self, rollout: str, rows: Sequence[ArmStatisticsRow]) -> None:
        """Replaces what each row's replica has counted of its arm in its stage."""
        ...

    def read_arm_statistics(self, rollout: str) -> list[ArmStatisticsRow]:
        """What every replica, living or dead, has counted."""
        ...

    def drop_arm_statistics(self, rollout: str) -> None:
        """Forgets the counts of a rollout that has ended."""
        ...

    def hold_lease(self, name: str, holder: str, now: float, ttl_s: float) -> Lease:
        """Takes or renews the lease `name` for `ttl_s` seconds where it is free, expired or held already.

        Returns the lease as it is then: `holder` has it where it is the lease's holder.
        """
        ...

    def read_lease(self, name: str) -> Lease | None:
        """The lease as it was last written, expired or not; None where it was never held."""
        ...

    def release_lease(self, name: str, holder: str) -> None:
        """Releases the lease where `holder` has it, so that another replica leads at once."""
        ...

    def close(self) -> None:
        """Closes the store; it cannot be used afterwards."""
        ...
