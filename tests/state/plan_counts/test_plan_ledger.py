"""Exposures are counted once, whatever is repeated, and a cap is exceeded by no more than is stated."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.storage.errors import StorageUnavailable
from state import StateSettings, open_state
from state.plan_counts.plan_count import PlanCount, PlanWindow
from state.plan_counts.plan_ledger import PlanLedger
from state.store import StateStore

END = 4_000_000_000
ROOT = Path(__file__).parents[3]


class SharedCounts:
    """What the replicas of one shop write, as a store keeps it."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], PlanCount] = {}
        self.is_down = False
        self.loses_answers = False

    def __call__(
        self, replica: str, own: Mapping[str, PlanCount], plans: Mapping[str, int]
    ) -> dict[str, PlanCount]:
        if self.is_down:
            raise StorageUnavailable("it is down")
        for plan, count in own.items():
            self.rows[plan, replica] = count
        if self.loses_answers:
            raise StorageUnavailable("the answer was lost")
        return {
            plan: PlanCount(sum(count.shown for (name, _), count in self.rows.items() if name == plan))
            for plan in plans
        }


def room(ledger: PlanLedger, cap: int, slack: int) -> int:
    """What the page stage allows itself."""
    standing = ledger.standing("p")
    if standing is None:
        return 0
    return max(min(cap - standing.shown, slack - standing.unshared), 0)


@settings(max_examples=40, deadline=None)
@given(
    replicas=st.integers(1, 4),
    cap=st.integers(1, 40),
    slack=st.integers(1, 8),
    steps=st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["show", "exchange", "lost", "down"]), st.integers(1, 5)
        ),
        max_size=120,
    ),
)
def test_a_cap_is_exceeded_by_no_more_than_the_others_slack(
    replicas: int, cap: int, slack: int, steps: list[tuple[int, str, int]]
) -> None:
    async def run() -> None:
        shared = SharedCounts()
        windows = {"p": PlanWindow(END, slack)}
        ledgers = [PlanLedger(shared, lambda: windows, f"r{number}") for number in range(replicas)]
        shown = 0
        for number, what, items in steps:
            ledger = ledgers[number % replicas]
            shared.is_down, shared.loses_answers = what == "down", what == "lost"
            if what == "show":
                exposures = min(items, room(ledger, cap, slack))
                ledger.note("p", exposures, 0, 0.0, slack)
                shown += exposures
            else:
                try:
                    await ledger.exchange()
                except StorageUnavailable:
                    assert what != "exchange"
        assert shown <= cap + (replicas - 1) * slack
        shared.is_down = shared.loses_answers = False
        for ledger in ledgers:
            await ledger.close()
        assert shared("", {}, {"p": END})["p"].shown == shown
        # Once all have told each other, one after another uses up what room is left.
        for ledger in ledgers * (cap + 1):
            await ledger.exchange()
            exposures = room(ledger, cap, slack)
            ledger.note("p", exposures, 0, 0.0, slack)
            shown += exposures
        assert shown >= cap

    asyncio.run(run())


async def until(good: Callable[[], bool]) -> None:
    """Returns when it is; fails where that takes long."""
    for _ in range(5_000):
        if good():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


async def test_a_replica_waits_for_its_first_exchange_and_shares_at_half_a_slack() -> None:
    shared = SharedCounts()
    ledger = PlanLedger(shared, lambda: {"p": PlanWindow(END, 10)}, "r")
    assert ledger.standing("p") is None
    running = asyncio.create_task(ledger.run(60.0))
    await until(lambda: ledger.standing("p") is not None)
    ledger.note("p", 4, 1, 0.5, 10)
    await asyncio.sleep(0.01)
    assert not shared.rows
    ledger.note("p", 1, 0, 0.25, 10)
    await until(lambda: ("p", "r") in shared.rows)
    assert shared.rows["p", "r"] == PlanCount(5, 1, 0.75)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.slow
def test_every_store_adds_up_what_replicas_counted(settings: StateSettings) -> None:
    store: StateStore = open_state(settings, clock=lambda: 1_000.0)
    try:
        plans = {"a": 2_000, "b": 2_000}
        assert store.exchange_plan_counts("", {}, plans) == {"a": PlanCount(), "b": PlanCount()}
        assert store.exchange_plan_counts("r1", {"a": PlanCount(3, 1, 0.5)}, plans)["a"] == PlanCount(
            3, 1, 0.5
        )
        for _ in range(2):
            totals = store.exchange_plan_counts("r2", {"a": PlanCount(2, 2, 0.25)}, plans)
            assert totals == {"a": PlanCount(5, 3, 0.75), "b": PlanCount()}
        assert store.exchange_plan_counts("r1", {"a": PlanCount(4, 1, 0.5)}, {"a": 2_000})["a"].shown == 6
    finally:
        store.close()
    again = open_state(settings, clock=lambda: 1e9)
    try:
        assert again.exchange_plan_counts("", {}, {"a": 2_000})["a"].shown == 6
        # A new row makes room of those whose plans are long over.
        again.exchange_plan_counts("r3", {"c": PlanCount(1)}, {"c": 2_000_000_000})
        if settings.url.startswith("lmdb"):
            assert again.exchange_plan_counts("", {}, {"a": 2_000})["a"].shown == 0
    finally:
        again.close()


@pytest.mark.slow
def test_three_processes_keep_one_cap(settings: StateSettings) -> None:
    cap, slack = 300, 9
    module, prefix = "tests.state.plan_counts.exposing_replica", settings.redis.prefix
    replicas = [
        subprocess.Popen(
            [sys.executable, "-m", module, settings.url, prefix, name, str(cap), str(slack)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b", "c")
    ]
    shown = 0
    for replica in replicas:
        output, _ = replica.communicate(timeout=60)
        assert replica.returncode == 0
        shown += int(output)
    assert cap <= shown <= cap + 2 * slack
    store = open_state(settings)
    try:
        assert store.exchange_plan_counts("", {}, {"p": END})["p"].shown == shown
    finally:
        store.close()
