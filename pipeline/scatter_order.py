"""Orders that spread groups: in any window of slots at most so many of one group, over one or many scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.candidates import Int32

Positions = npt.NDArray[np.intp]

PLACED = 1 << 30
MAX_RULES = 16


def scatter_scenes(
    items: Sequence[Int32],
    groups: Sequence[Sequence[Int32]],
    limits: Sequence[tuple[int, int]],
    page_sizes: Sequence[int],
) -> list[Positions]:
    """An order of each scene's candidates that spreads groups over the slots of all scenes, in page order.

    Greedy: each slot takes the best candidate of its scene that the page does not show yet and that breaks no
    rule. Where there is none, rules are given up from the last towards the first: the slot goes to the
    candidate whose broken rules matter least, one that breaks only later rules coming before any that breaks
    an earlier one, and of equals the best. So a slot is empty only where the page shows every candidate of
    its scene. Windows reach over the borders of scenes.

    Args:
        items: int32[n] per scene, best first, none twice in a scene.
        groups: per scene, int32[n] per rule: the group of each candidate, 0 = none. A group has one code in
            all scenes.
        limits: one (window, max) per rule, at most `MAX_RULES`, most important first, 1 ≤ max < window: among
            any `window` consecutive slots at most `max` are of one group.
        page_sizes: slots of each scene.

    Returns:
        intp[m] per scene, distinct: what its slots show, then the candidates that no slot shows, best first.
    """
    rules = range(len(limits))
    # The group that each slot shows, by rule, and how often each group is in the window of the next slot.
    slots: list[list[int]] = [[] for _ in rules]
    seen: list[dict[int, int]] = [{} for _ in rules]
    scenes: list[_Scene] = []
    pages: list[list[int]] = []
    shown: list[Int32] = []
    for here, columns, page_size in zip(items, groups, page_sizes, strict=True):
        scene = _Scene(here, columns, limits)
        scene.leave_out(shown)
        for rule in rules:
            most = limits[rule][1]
            scene.close(rule, [group for group, count in seen[rule].items() if count >= most])
        left = scene.open_rows().size
        page: list[int] = []
        for _ in range(min(page_size, left)):
            for rule in rules:
                window, most = limits[rule]
                past = slots[rule]
                if len(past) >= window and past[-window]:
                    group = past[-window]
                    seen[rule][group] -= 1
                    if seen[rule][group] == most - 1:
                        scene.change(rule, group, -1)
            best = int(scene.cost.argmin())
            page.append(best)
            scene.cost[best] = PLACED
            for rule in rules:
                group = scene.labels[rule][best]
                slots[rule].append(group)
                if group:
                    count = seen[rule][group] = seen[rule].get(group, 0) + 1
                    if count == limits[rule][1]:
                        scene.change(rule, group, 1)
        scenes.append(scene)
        pages.append(page)
        shown.append(here[page])
    for index, scene in enumerate(scenes):
        scene.leave_out(shown[index + 1 :])
    return [
        np.concatenate((np.array(page, np.intp), scene.open_rows()))
        for page, scene in zip(pages, scenes, strict=True)
    ]


class _Scene:
    """The candidates of the scene whose slots are filled, and what each would break.

    cost    int64[n], with bit (rules - 1 - r) set where placing the candidate now would break rule r, so that
            the smallest, and of these the first, is the candidate wanted; argmin finds just that
    labels  of each rule, the group of each candidate
    """

    def __init__(self, items: Int32, columns: Sequence[Int32], limits: Sequence[tuple[int, int]]) -> None:
        self._items = items
        self.cost = np.zeros(items.size, np.int64)
        self.labels = [column.tolist() for column in columns]
        self._columns = columns
        self._bits = [1 << (len(limits) - 1 - rule) for rule in range(len(limits))]
        self._members: list[dict[int, Positions]] = [{} for _ in limits]

    def open_rows(self) -> Positions:
        """Positions of the candidates that are on no page, ascending."""
        return np.flatnonzero(self.cost < PLACED // 2)

    def leave_out(self, shown: Sequence[Int32]) -> None:
        """Items that other scenes show cannot be placed."""
        if shown:
            self.cost[np.isin(self._items, np.concatenate(shown))] = PLACED

    def close(self, rule: int, groups: list[int]) -> None:
        """Nothing of these groups can be placed without breaking the rule."""
        if groups:
            # Sets are faster than sorting where columns are as short as a scene's.
            closed = set(groups)
            rows = [row for row, group in enumerate(self.labels[rule]) if group in closed]
            self.cost[rows] += self._bits[rule]

    def change(self, rule: int, group: int, by: int) -> None:
        """Placing a candidate of the group breaks the rule from now on (by 1), or no longer (by -1)."""
        members = self._members[rule].get(group)
        if members is None:
            members = self._members[rule][group] = np.flatnonzero(self._columns[rule] == group)
        self.cost[members] += by * self._bits[rule]


def scatter(
    groups: Sequence[Int32], limits: Sequence[tuple[int, int]], count: int, page_size: int
) -> Positions:
    """The order of `scatter_scenes` for one scene of `count` candidates: a permutation intp[count].

    groups: int32[count] per rule; limits and page_size: as there. min(page_size, count) slots are filled.
    """
    return scatter_scenes([np.arange(count, dtype=np.int32)], [groups], limits, [page_size])[0]
