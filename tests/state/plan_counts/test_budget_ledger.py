"""Budgets of exposures: never exceeded by any replicas, and spent to the last one where none is killed."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.storage.errors import StorageUnavailable
from state.plan_counts.budget_ledger import Budget, BudgetLedger, Uncounted
from tests.state.plan_counts.test_plan_ledger import END, SharedCounts

STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["spend", "return", "exchange", "lost", "down", "kill", "close"]),
        st.integers(1, 9),
    ),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(replicas=st.integers(1, 4), most=st.integers(1, 90), steps=STEPS)
def test_no_budget_is_exceeded_whatever_is_lost(
    replicas: int, most: int, steps: list[tuple[int, str, int]]
) -> None:
    async def run() -> None:
        shared, budget, spent, began = SharedCounts(), Budget("b", most, END), 0, replicas
        ledgers = [BudgetLedger(shared, f"r{number}") for number in range(replicas)]
        returnable = [0] * replicas
        for at, what, exposures in steps:
            number = at % replicas
            ledger = ledgers[number]
            shared.is_down, shared.loses_answers = what == "down", what == "lost"
            if what == "spend":
                given = ledger.spend(budget, exposures)
                returnable[number] += given
                spent += given
            elif what == "return" and returnable[number]:
                given_back = min(exposures, returnable[number])
                ledger.give_back("b", given_back)
                returnable[number] -= given_back
                spent -= given_back
            elif what in ("kill", "close"):
                if what == "close":
                    await ledger.close()
                began += 1
                ledgers[number], returnable[number] = BudgetLedger(shared, f"r{began}"), 0
            else:
                try:
                    await ledger.exchange(0)
                except StorageUnavailable:
                    assert what in ("lost", "down")
            assert spent <= most
        shared.is_down = shared.loses_answers = False
        assert shared("", {}, {"b": END})["b"].shown >= spent

    asyncio.run(run())


def test_one_after_another_spends_all_of_it() -> None:
    async def run() -> None:
        shared, budget = SharedCounts(), Budget("b", 100, END)
        ledgers = [BudgetLedger(shared, name) for name in ("a", "b", "c")]
        assert [ledger.spend(budget, 1) for ledger in ledgers] == [0, 0, 0]  # nothing is leased yet
        spent = 0
        for _ in range(60):
            for ledger in ledgers:
                await ledger.exchange(0)
                spent += ledger.spend(budget, 2)
        # What stays leased to one replica is not the others'.
        assert 100 - 3 * budget.lease <= spent <= 100
        for ledger in ledgers:
            await ledger.close()
        assert shared("", {}, {"b": END})["b"].shown == spent

    asyncio.run(run())


def test_a_budget_that_is_raised_is_spent_on() -> None:
    async def run() -> None:
        ledger = BudgetLedger(SharedCounts(), "a")
        spent: dict[int, int] = {}
        for most in (10, 25):
            budget = Budget("b", most, END)
            for _ in range(40):
                assert Uncounted(ledger).spend(budget, 1) == min(ledger.room(budget), 1)
                spent[most] = spent.get(most, 0) + ledger.spend(budget, 1)
                await ledger.exchange(0)
        assert spent == {10: 10, 25: 15}

    asyncio.run(run())
