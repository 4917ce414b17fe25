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
    starts = np.cumsum([0, *map(len, items)])
    rules = len(limits)
    joined = [
        np.concatenate([scene[rule] for scene in groups]) if groups else np.zeros(0, np.int32)
        for rule in range(rules)
    ]
    # cost[i] has bit (rules - 1 - r) set where placing candidate i now would break rule r, so the smallest
    # cost, and of these the first, is the candidate wanted; argmin finds just that.
    cost = np.zeros(int(starts[-1]), dtype=np.int32)
    members = [_members(column) for column in joined]
    labels = [column.tolist() for column in joined]
    # An item that is shown is shown in none of the scenes that have it too.
    copies = _members(np.concatenate(items)) if len(items) > 1 else None
    of_item = np.concatenate(items).tolist() if copies is not None else []
    seen: list[dict[int, int]] = [{} for _ in range(rules)]
    page: list[int] = []
    shown: list[list[int]] = [[] for _ in items]
    for scene, page_size in enumerate(page_sizes):
        first, last = int(starts[scene]), int(starts[scene + 1])
        open_cost = cost[first:last]
        left = int(np.count_nonzero(open_cost < PLACED // 2))
        for _ in range(min(page_size, left)):
            slot = len(page)
            for r in range(rules):
                window, most = limits[r]
                if slot >= window:
                    group = labels[r][page[slot - window]]
                    if group:
                        seen[r][group] -= 1
                        if seen[r][group] == most - 1:
                            cost[members[r][group]] -= 1 << (rules - 1 - r)
            best = first + int(open_cost.argmin())
            page.append(best)
            shown[scene].append(best - first)
            if copies is None:
                cost[best] = PLACED
            else:
                cost[copies[of_item[best]]] = PLACED
            for r in range(rules):
                group = labels[r][best]
                if group:
                    seen[r][group] = seen[r].get(group, 0) + 1
                    if seen[r][group] == limits[r][1]:
                        cost[members[r][group]] += 1 << (rules - 1 - r)
    not_shown = cost < PLACED // 2
    return [
        np.concatenate(
            (np.array(chosen, np.intp), np.flatnonzero(not_shown[starts[scene] : starts[scene + 1]]))
        )
        for scene, chosen in enumerate(shown)
    ]


def scatter(
    groups: Sequence[Int32], limits: Sequence[tuple[int, int]], count: int, page_size: int
) -> Positions:
    """The order of `scatter_scenes` for one scene of `count` candidates: a permutation intp[count].

    groups: int32[count] per rule; limits and page_size: as there. min(page_size, count) slots are filled.
    """
    return scatter_scenes([np.arange(count, dtype=np.int32)], [groups], limits, [page_size])[0]


def _members(column: Int32) -> dict[int, Positions]:
    """Positions of each group, by group."""
    order = np.argsort(column, kind="stable")
    labels, starts = np.unique(column[order], return_index=True)
    return dict(zip(labels.tolist(), np.split(order, starts[1:]), strict=True)) if column.size else {}
