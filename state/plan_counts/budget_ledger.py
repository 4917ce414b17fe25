"""Budgets of exposures that replicas share and never exceed, whatever is lost and whatever is killed.

A replica takes what it may spend from the store in leases: it writes how much of a budget it has spent and
wants to have, and reads in the same transaction what all have written. Of what it wants it is granted what
the others leave:

    granted = max(granted before, min(written by it, budget - written by the others))

Nobody has written less than was granted to it, so what is granted to all is never more than the budget: the
last one to be granted something counted all that the others had written. What a replica that was killed had
leased and not spent is lost to the budget; one that closes gives it back. A replica to which the others left
nothing does not ask again until the budget changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from foundation.storage.errors import StorageError
from state.plan_counts.plan_count import KEPT_AFTER_END_S, PlanCount
from state.plan_counts.plan_ledger import Exchange

log = logging.getLogger(__name__)

LEASES = 20
"""Parts of a budget in which it is leased."""
MOST_AT_ONCE = 1_000
"""Budgets of one exchange."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in all.

    id        by which all replicas count it
    most      exposures
    ends_at   unix second after which nobody asks for it any more
    """

    id: str
    most: int
    ends_at: int

    @property
    def lease(self) -> int:
        """Exposures that a replica takes at a time."""
        return max(self.most // LEASES, 1)


class Budgets(Protocol):
    """What a request takes exposures from."""

    def room(self, budget: Budget) -> int:
        """What `spend` could take now."""
        ...

    def spend(self, budget: Budget, exposures: int) -> int:
        """Takes at most so many from a budget, and returns how many."""
        ...

    def give_back(self, budget: str, exposures: int) -> None:
        """Returns what was taken and not used."""
        ...


@dataclass(slots=True)
class _Account:
    """One replica's part of a budget: spent <= granted <= what it has written to the store."""

    budget: Budget
    spent: int = 0
    granted: int = 0
    exhausted: bool = False

    def wants(self) -> int:
        """What is to be written next."""
        lease = self.budget.lease
        if 2 * (self.granted - self.spent) >= lease or self.exhausted:
            return self.granted
        return max(self.granted, min(self.spent + lease, self.budget.most))


class BudgetLedger:
    """Spends from budgets at once, of what was leased. Belongs to one event loop."""

    def __init__(self, exchange: Exchange, replica: str) -> None:
        """`exchange`: of the state store; `replica`: names this process and no other, ever."""
        self._exchange = exchange
        self._replica = replica
        self._accounts: dict[str, _Account] = {}
        self._due: dict[str, None] = {}
        self._awake = asyncio.Event()
        self._exchanging = asyncio.Lock()
        self._complained = ""

    def spend(self, budget: Budget, exposures: int) -> int:
        """Takes at most so many from a budget, and returns how many; none before the first lease is there.

        A budget whose size or end has changed keeps what was spent of it.
        """
        account = self._accounts.get(budget.id)
        if account is None:
            account = self._accounts[budget.id] = _Account(budget)
        elif account.budget != budget:
            account.budget, account.exhausted = budget, False
        given = min(exposures, self.room(budget))
        account.spent += given
        if account.wants() > account.granted:
            self._due[budget.id] = None
            self._awake.set()
        return given

    def room(self, budget: Budget) -> int:
        """What `spend` could take now."""
        account = self._accounts.get(budget.id)
        return 0 if account is None else max(min(account.granted, budget.most) - account.spent, 0)

    def give_back(self, budget: str, exposures: int) -> None:
        """Returns what was taken and not used."""
        account = self._accounts.get(budget)
        if account is not None:
            account.spent = max(account.spent - exposures, 0)

    async def exchange(self, now: int) -> None:
        """Leases what is wanted, `MOST_AT_ONCE` at most; forgets what has ended. Raises `StorageError`."""
        async with self._exchanging:
            self._forget(now)
            names = list(self._due)[:MOST_AT_ONCE]
            accounts = {name: self._accounts[name] for name in names}
            wanted = {name: account.wants() for name, account in accounts.items()}
            if wanted:
                totals = await asyncio.to_thread(
                    self._exchange,
                    self._replica,
                    {name: PlanCount(shown) for name, shown in wanted.items()},
                    {name: account.budget.ends_at for name, account in accounts.items()},
                )
                for name, account in accounts.items():
                    self._settle(name, account, wanted[name], totals[name].shown)

    def _forget(self, now: int) -> None:
        """Drops what the store forgets too; before, an account made anew would count from 0 again."""
        oldest = now - KEPT_AFTER_END_S
        for name in [name for name, each in self._accounts.items() if each.budget.ends_at < oldest]:
            del self._accounts[name]
            self._due.pop(name, None)

    def _settle(self, name: str, account: _Account, written: int, total: int) -> None:
        """Takes what the others leave of what was written; what they do not is written back next time."""
        left = account.budget.most - (total - written)
        account.granted = max(account.granted, min(written, left))
        account.exhausted = account.granted < written or account.granted >= account.budget.most
        if account.granted == written:
            self._due.pop(name, None)

    async def run(self, interval_s: float, now: Callable[[], int]) -> None:
        """Exchanges when something is wanted, every `interval_s` seconds at most; until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            try:
                await self.exchange(now())
                self._complained = ""
            except StorageError as error:
                if str(error) != self._complained:
                    log.warning("budgets of exposures are not leased, nothing is spent of them: %s", error)
                self._complained = str(error)
            if self._due:
                self._awake.set()
            await asyncio.sleep(interval_s)

    async def close(self) -> None:
        """Gives back what was leased and not spent; where that fails, the log says so."""
        own = {name: PlanCount(each.spent) for name, each in self._accounts.items()}
        ends = {name: each.budget.ends_at for name, each in self._accounts.items()}
        try:
            async with self._exchanging:
                if own:
                    await asyncio.to_thread(self._exchange, self._replica, own, ends)
        except StorageError as error:
            log.warning("leases of exposure budgets are not given back: %s", error)
        finally:
            self._accounts.clear()
            self._due.clear()


class Uncounted:
    """The same budgets for pages that nobody sees: what is left counts, and nothing is taken."""

    def __init__(self, budgets: Budgets) -> None:
        """`budgets`: what is left."""
        self._budgets = budgets

    def room(self, budget: Budget) -> int:
        """As `Budgets.room`."""
        return self._budgets.room(budget)

    def spend(self, budget: Budget, exposures: int) -> int:
        """How many would be taken."""
        return min(exposures, self.room(budget))

    def give_back(self, budget: str, exposures: int) -> None:
        """Nothing was taken."""
