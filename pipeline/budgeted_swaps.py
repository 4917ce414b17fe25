"""Changes a page until it contains as many items of groups as is wanted, within a bounded loss of value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Positions = npt.NDArray[np.intp]

NO_LIMIT = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Demands:
    """What p groups, which may overlap, demand of one page of n candidates.

    members    bool[p, n]
    most       int64[p], items that the page must not exceed, whatever it costs
    better     int64[p], items that it should not exceed where the loss allows; at most `most`
    least      int64[p], items that it should have where the loss allows
    urgency    float64[p], at least 0: the largest is served first, and below 1 it is the part of the allowed
               loss that may be spent on `least` of the group
    """

    members: Bool
    most: Int64
    better: Int64
    least: Int64
    urgency: Float64


class Swapped(NamedTuple):
    """A page that was changed.

    page     intp[m], positions of the candidates in page order
    removed  int64[p], items taken off because of `most`
    held     int64[p], items that made way because of `better`
    lifted   int64[p], items put on because of `least`
    lost     float64[p], value that the page lost by `better` and `least`, by group; below 0 = gained
    value    of the page once `most` was kept: what the loss is a part of
    """

    page: Positions
    removed: Int64
    held: Int64
    lifted: Int64
    lost: Float64
    value: float


def swap_within(
    values: Float64,
    slots: int,
    usable: Bool,
    kept: Bool,
    demands: Demands,
    max_loss: float,
    groups: npt.NDArray[np.int32] | None = None,
) -> Swapped:
    """Keeps `most`, then approaches `better` and `least` while the page's value sinks by `max_loss` at most.

    What `most` takes off leaves as if it had never been a candidate: what is behind moves up, and the best
    usable candidates follow. The other changes put a candidate into the slot of an item, the cheapest one
    first; the most urgent groups are served first.

    Args:
        values: float64[n], at least 0, of the candidates: those of the page in page order, then the others,
            best first.
        slots: items of the page, which are the first candidates; it is not filled up beyond them.
        usable: bool[n], candidates that may be put on the page; those of the page need not be.
        kept: bool[slots], items that stay where they are, unless `most` takes them off.
        demands: of the groups.
        max_loss: part of the page's value, 0 to 1.
        groups: int32[n], a slot takes only candidates of the group of its item; None = any.
    """
    state = _State(values, slots, usable, kept, demands, groups)
    removed = state.keep_most()
    return state.approach(max_loss, removed)


class _State:
    """The page on its way."""

    def __init__(
        self,
        values: Float64,
        slots: int,
        usable: Bool,
        kept: Bool,
        demands: Demands,
        groups: npt.NDArray[np.int32] | None,
    ) -> None:
        self.values, self.groups, self.demands = values, groups, demands
        self.page: list[int] = list(range(slots))
        self.kept = set(np.flatnonzero(kept).tolist())
        self.spare = usable.copy()
        self.spare[:slots] = False
        self.counts = demands.members[:, :slots].sum(axis=1).astype(np.int64)

    def keep_most(self) -> Int64:
        """Takes off what is too much, the least valuable first, and fills the slots again.

        Returns int64[g], the items taken off of each group.
        """
        members, removed = self.demands.members, np.zeros(self.counts.size, np.int64)
        gone: set[int] = set()
        for group in range(self.counts.size):
            excess = int(self.counts[group] - self.demands.most[group])
            if excess <= 0:
                continue
            rows = [row for row in self.page if members[group, row] and row not in gone]
            rows.sort(key=lambda row: (row in self.kept, self.values[row], -row))
            gone.update(rows[:excess])
            self.counts -= members[:, rows[:excess]].sum(axis=1)
            removed[group] += excess
        if gone:
            self.page = self._moved_up(gone) if self.groups is None else self._in_place(gone, self.groups)
        return removed

    def approach(self, max_loss: float, removed: Int64) -> Swapped:
        """Makes way for what is behind, and for what others are ahead of.

        Args:
            max_loss: part of the page's summed value, 0 to 1, that all exchanges together may cost.
            removed: int64[g], as `keep_most` returns it, for the result.
        """
        demands, count = self.demands, self.counts.size
        value = float(self.values[self.page].sum())
        budget, spent = max_loss * value, 0.0
        lost = np.zeros(count)
        held, lifted = np.zeros(count, np.int64), np.zeros(count, np.int64)
        for group in range(count):
            while self.counts[group] > demands.better[group]:
                swap = self._way_out(group)
                if swap is None or spent + swap[2] > budget:
                    break
                self._swap(swap[0], swap[1])
                spent, lost[group], held[group] = spent + swap[2], lost[group] + swap[2], held[group] + 1
        cheapest = self._cheapest_movable()
        best_spare = np.where(demands.members & self.spare, self.values, -np.inf).max(axis=1, initial=-np.inf)
        for group in np.argsort(-demands.urgency, kind="stable").tolist():
            allowed = budget * min(float(demands.urgency[group]), 1.0)
            # Most groups of many have nothing that could be afforded, whatever slot it took.
            if cheapest - best_spare[group] > min(budget - spent, allowed):
                continue
            while self.counts[group] < demands.least[group]:
                swap = self._way_in(group)
                left = min(budget - spent, allowed - lost[group])
                if swap is None or swap[2] > left:
                    break
                self._swap(swap[0], swap[1])
                spent, lost[group], lifted[group] = spent + swap[2], lost[group] + swap[2], lifted[group] + 1
                cheapest = self._cheapest_movable()
        return Swapped(np.array(self.page, np.intp), removed, held, lifted, lost, value)

    def _way_out(self, group: int) -> tuple[int, int, float] | None:
        """The slot, candidate and loss of the cheapest exchange that takes an item of the group off."""
        return self._cheapest(np.flatnonzero(self._movable() & self._on_page(group)), ~self._in(group))

    def _way_in(self, group: int) -> tuple[int, int, float] | None:
        """The slot, candidate and loss of the cheapest exchange that puts an item of the group on."""
        slots = np.flatnonzero(self._movable() & ~self._on_page(group))
        rows = np.array(self.page, np.intp)[slots]
        order = np.lexsort((-slots, self.values[rows]))
        if self.groups is None:
            # What may replace a row that keeps no group full is the same for all such rows: of these
            # the cheapest is the best.
            full = self.counts >= self.demands.better
            alike = np.flatnonzero(~self.demands.members[full][:, rows[order]].any(axis=0))
            order = np.delete(order, alike[1:])
        return self._cheapest(slots[order], self._in(group))

    def _cheapest(self, slots: Positions, wanted: Bool) -> tuple[int, int, float] | None:
        """Of exchanges of one of the slots for one of the `wanted` candidates, the first that loses least."""
        best = None
        for slot in slots.tolist():
            possible = self._possible(self.page[slot]) & wanted
            if not possible.any():
                continue
            chosen = int(np.argmax(np.where(possible, self.values, -1.0)))
            loss = float(self.values[self.page[slot]] - self.values[chosen])
            if best is None or loss < best[2]:
                best = slot, chosen, loss
        return best

    def _in(self, group: int) -> Bool:
        """bool[n], the candidates of a group."""
        return np.asarray(self.demands.members[group])

    def _on_page(self, group: int) -> Bool:
        """bool[slots], the slots of the page with an item of a group."""
        return np.asarray(self.demands.members[group, self.page])

    def _cheapest_movable(self) -> float:
        """Value of the cheapest item of the page that may leave it; infinite where none may."""
        movable = np.array(self.page, np.intp)[self._movable()]
        return float(self.values[movable].min(initial=np.inf))

    def _movable(self) -> Bool:
        """bool[slots], those whose item is not kept, and without which no group has less than it should."""
        needing = (self.counts <= self.demands.least) & (self.demands.least > 0)
        needed = self.demands.members[needing][:, self.page].any(axis=0)
        return np.asarray(~needed & ~np.isin(self.page, list(self.kept)))

    def _possible(self, row: int) -> Bool:
        """Candidates that may take the place of a row of the page without breaking a `better`."""
        members = self.demands.members
        full = self.counts - members[:, row] >= self.demands.better
        possible: Bool = self.spare & ~members[full].any(axis=0)
        if self.groups is not None:
            possible &= self.groups == self.groups[row]
        return possible

    def _swap(self, slot: int, chosen: int) -> None:
        members = self.demands.members
        self.counts += members[:, chosen].astype(np.int64) - members[:, self.page[slot]]
        self.page[slot] = chosen
        self.spare[chosen] = False

    def _moved_up(self, gone: set[int]) -> list[int]:
        """The page without some rows: what is kept stays in its slot, the others move up, spares follow."""
        rest = iter([row for row in self.page if row not in gone and row not in self.kept])
        page = []
        for slot in range(len(self.page)):
            row: int | None = self.page[slot]
            if row in gone or row not in self.kept:
                row = next(rest, None)
            if row is None:
                row = self._first_spare(self.spare)
            if row is not None:
                page.append(row)
        return page

    def _in_place(self, gone: set[int], groups: npt.NDArray[np.int32]) -> list[int]:
        """The page without some rows, each replaced by the first spare of its group where there is one."""
        page = []
        for row in self.page:
            present = self._first_spare(self.spare & (groups == groups[row])) if row in gone else row
            if present is not None:
                page.append(present)
        return page

    def _first_spare(self, possible: Bool) -> int | None:
        """Takes the first spare of `possible` that keeps every `most`; None where there is none."""
        members = self.demands.members
        full = self.counts >= self.demands.most
        found = np.flatnonzero(possible & ~members[full].any(axis=0))
        if not found.size:
            return None
        row = int(found[0])
        self.spare[row] = False
        self.counts += members[:, row]
        return row
