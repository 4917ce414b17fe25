"""What operators do while replicas change the same record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.verdicts.gate import VerdictGate
from foundation.verdicts.verdict import Check, Subject, Verdict, encoded
from protos.shopfront.v1 import rollout_pb2
from rollout import transitions
from rollout.lmdb_store import LmdbRolloutStore
from rollout.metrics import RolloutMetrics
from rollout.operations import RolloutOperations
from rollout.record import HistoryEntry, ModelRecord
from rollout.replica import ReplicaRollouts, ServingSnapshot
from rollout.settings import RolloutSettings
from rollout.transitions import Change
from router.errors import PreconditionError, RaceLostError
from router.service.call import new_call
from tests.rollout.plans import DATASET, started

SERVED = ServingSnapshot(DATASET, {"bst": "1"})


class Contested:
    """A store in which someone else is faster, once for each change of `faster`."""

    def __init__(self, store: LmdbRolloutStore, faster: list[Callable[[ModelRecord], Change]]) -> None:
        self._store = store
        self._faster = faster

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def compare_and_swap(self, record: ModelRecord, entry: HistoryEntry) -> bool:
        if self._faster:
            change = self._faster.pop(0)(self._store.read("bst"))
            assert self._store.compare_and_swap(change.record, change.entry)
        return self._store.compare_and_swap(record, entry)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbRolloutStore]:
    opened = LmdbRolloutStore(tmp_path)
    change = started()
    assert opened.compare_and_swap(change.record, change.entry)
    yield opened
    opened.close()


def pause(
    store: LmdbRolloutStore, faster: list[Callable[[ModelRecord], Change]]
) -> rollout_pb2.RolloutStatus:
    settings = RolloutSettings()
    contested = Contested(store, faster)
    replica = ReplicaRollouts("bst", contested, settings, "r1", RolloutMetrics(ProcessMetrics()))  # type: ignore[arg-type]
    operations = RolloutOperations(
        replica,
        contested,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        lambda: SERVED,
        settings,
        clock=lambda: 1.0,
    )
    request = rollout_pb2.ChangeRolloutRequest(operator="ann")
    return asyncio.run(operations.pause(request, new_call(0.0, None)))


def led(epoch: int) -> Callable[[ModelRecord], Change]:
    return lambda record: transitions.take_lead(record, epoch, "r2", 1.0)


def test_a_replica_that_takes_the_lead_is_in_no_operators_way(store: LmdbRolloutStore) -> None:
    assert pause(store, [led(1), led(2)]).paused
    assert [entry.event for _, entry in store.read_history("bst")] == ["started", "led", "led", "paused"]


def test_an_operator_is_told_of_the_one_who_was_faster(store: LmdbRolloutStore) -> None:
    with pytest.raises(RaceLostError, match="bob changed it first"):
        pause(store, [lambda record: transitions.abort(record, "bob", 1.0, "no good")])
    assert [entry.event for _, entry in store.read_history("bst")] == ["started", "aborted"]


class Fit:
    """A candidate that the repository has, made from one checkpoint."""

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def check(self, model: str, candidate: int, dataset: str) -> Fit:
        return self


def test_a_version_needs_a_verdict_where_one_is_required(tmp_path: Path) -> None:
    store = LmdbRolloutStore(tmp_path / "store")
    settings = RolloutSettings()
    replica = ReplicaRollouts("bst", store, settings, "r1", RolloutMetrics(ProcessMetrics()))

    def start(checkpoint: str) -> rollout_pb2.RolloutStatus:
        operations = RolloutOperations(
            replica,
            store,
            Fit(checkpoint),  # type: ignore[arg-type]
            lambda: SERVED,
            settings,
            clock=lambda: 1.0,
            verdicts=VerdictGate(tmp_path),
        )
        request = rollout_pb2.StartRolloutRequest(candidate=2, operator="ann")
        return asyncio.run(operations.start(request, new_call(0.0, None)))

    def decide(passed: bool) -> None:
        subject = Subject("model", model="bst", version=2, checkpoint="c2")
        checks = [Check("scores are numbers", "pass" if passed else "fail", "3 % are not")]
        verdict = Verdict(subject=subject, passed=passed, checks=checks, made_at="", snapshot="")
        (tmp_path / subject.file_name).write_bytes(encoded(verdict))

    with pytest.raises(PreconditionError, match="version 2 of bst was not tested"):
        start("c2")
    decide(passed=False)
    with pytest.raises(PreconditionError, match="failed the sandbox test: scores are numbers: 3 % are not"):
        start("c2")
    decide(passed=True)
    # A version made from another checkpoint under the same number was not tested.
    with pytest.raises(PreconditionError, match="verdict of another subject"):
        start("c3")
    assert [entry.event for _, entry in store.read_history("bst")] == []
    assert start("c2").candidate_version == 2
    store.close()
