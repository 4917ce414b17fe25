"""Exposures under plans as one replica knows them: its own at once, the others' since the last exchange.

Each replica owns one number per plan in the store, which only rises; a plan's exposures are their sum. An
exchange writes the own number and reads the sum in one transaction, so that repeating it after a lost answer
counts nothing twice.

What keeps a cap with N replicas: after an exchange a replica shows at most `slack` exposures until the next
one, and none once the sum it knows has reached the cap. Of the replica whose last exchange was the latest,
the sum contains all that the others had shown up to then, but for at most `slack` each; so the exposures are
at most cap + (N - 1) x slack. With one replica they are exact. A replica that ends without a last exchange
loses at most `slack` exposures from the count, as many as it adds to the excess.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from foundation.storage.errors import StorageError
from state.plan_counts.plan_count import PlanCount, PlanWindow

log = logging.getLogger(__name__)


class Exchange(Protocol):
    """Writes this replica's counts and returns the sums, as `StateStore.exchange_plan_counts`."""

    def __call__(
        self, replica: str, own: Mapping[str, PlanCount], plans: Mapping[str, int]
    ) -> Mapping[str, PlanCount]:
        """May block. Raises `StorageError`."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What a replica knows of a plan.

    shown     exposures known, its own among them
    unshared  of these, the ones that the others do not know of
    """

    shown: int
    unshared: int


class PlanLedger:
    """Counts exposures of one replica and exchanges them. Belongs to one event loop."""

    def __init__(
        self, exchange: Exchange, plans: Callable[[], Mapping[str, PlanWindow]], replica: str
    ) -> None:
        """`plans`: those that have not ended, by id; `replica`: names this process and no other, ever."""
        self._exchange = exchange
        self._plans = plans
        self._replica = replica
        self._own: dict[str, PlanCount] = {}
        self._sent: dict[str, PlanCount] = {}
        self._totals: dict[str, PlanCount] = {}
        self._due = asyncio.Event()
        self._exchanging = asyncio.Lock()
        self._complained = ""

    def standing(self, plan: str) -> Standing | None:
        """What is known of a plan; None before its first exchange, which is then made at once."""
        total = self._totals.get(plan)
        if total is None:
            self._due.set()
            return None
        unshared = self._own.get(plan, _NONE).shown - self._sent.get(plan, _NONE).shown
        return Standing(total.shown + unshared, unshared)

    def note(self, plan: str, shown: int, lifted: int, lost: float, slack: int) -> None:
        """Counts exposures of one page: at once, so that the next page knows of them."""
        own = self._own.get(plan, _NONE)
        self._own[plan] = PlanCount(own.shown + shown, own.lifted + lifted, own.lost + lost)
        if slack and 2 * (own.shown + shown - self._sent.get(plan, _NONE).shown) >= slack:
            self._due.set()

    async def exchange(self) -> None:
        """Writes what was shown here to the store, and reads what was shown in all. Raises `StorageError`."""
        async with self._exchanging:
            plans = {plan: window.ends_at for plan, window in self._plans().items()}
            # What is counted is kept when its plan is taken off: a plan put back must not begin anew.
            own = {plan: self._own[plan] for plan in plans if self._own.get(plan) != self._sent.get(plan)}
            if plans:
                totals = await asyncio.to_thread(self._exchange, self._replica, own, plans)
                self._sent |= own
                self._totals = dict(totals)

    async def run(self, interval_s: float) -> None:
        """Exchanges every `interval_s` seconds, and at once where half a slack is used; until cancelled."""
        while True:
            self._due.clear()
            try:
                await self.exchange()
                self._complained = ""
            except StorageError as error:
                if str(error) != self._complained:
                    log.warning("exposures under plans are not shared, caps hold back what is due: %s", error)
                self._complained = str(error)
                await asyncio.sleep(interval_s)
            try:
                async with asyncio.timeout(interval_s):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Writes to the store what it does not have yet; where that fails, the log says so."""
        try:
            await self.exchange()
        except StorageError as error:
            log.warning("the last exposures under plans are not counted: %s", error)


_NONE = PlanCount()
