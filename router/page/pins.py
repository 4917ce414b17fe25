"""Puts what merchandisers pinned into its slots, after everything else; a page keeps its length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.scene_rules import Pin
from pipeline.candidates import Candidates, unscored
from recall.query import Query
from router.page.arrangement import ScenePage
from router.page.drawn_slots import DrawnPage


def place_pins(scenes: Sequence[ScenePage], drawn: Sequence[DrawnPage]) -> list[DrawnPage]:
    """The pages with their scenes' pins, `query.rules`.

    A pinned item passes the scene's filters (blocks, stock, what the caller excluded) or is not shown. It is
    taken from the ranked candidates or, where recall did not find it, added without a score. An item that the
    page shows elsewhere moves; one that another scene of the answer shows stays there, so that none is twice.
    The items behind a slot move down, and the last leave the page. A slot beyond the page's end is the last.
    """
    pages = list(drawn)
    for index, scene in enumerate(scenes):
        pins = scene.ranked.query.rules.pins
        if pins:
            elsewhere = [each.page.items.items for other, each in enumerate(pages) if other != index]
            shown = np.concatenate(elsewhere) if elsewhere else np.empty(0, np.int32)
            pages[index] = _with_pins(scene, pages[index], pins, shown)
    return pages


def _with_pins(
    scene: ScenePage, drawn: DrawnPage, pins: Sequence[Pin], elsewhere: NDArray[np.int32]
) -> DrawnPage:
    page = drawn.page.items
    ranked = scene.ranked.candidates
    pool = page.followed_by(ranked.take(np.isin(ranked.items, page.items, invert=True)))
    pool = pool.followed_by(passed_filters(scene, [pin.item for pin in pins if pin.item], pool.items))
    free = np.isin(pool.items, elsewhere, invert=True)
    free[: len(page)] = True
    slots = max(min(scene.page_size, int(np.count_nonzero(free))), len(page))
    fixed: dict[int, int] = {}
    for pin in pins:
        wanted = pool.items == pin.item if pin.column is None else pin.column[pool.items] == pin.code
        found = np.flatnonzero(free & wanted)
        slot = min(pin.slot, slots - 1)
        if found.size and slot not in fixed:
            fixed[slot] = int(found[0])
            free[found[0]] = False
    if not fixed:
        return drawn
    rest = iter([row for row in range(len(page)) if row not in fixed.values()])
    order = []
    for slot in range(slots):
        row = fixed.get(slot)
        row = next(rest, None) if row is None else row
        if row is not None:
            order.append(row)
    propensities = drawn.propensities
    if propensities is not None:
        padded = np.full(len(pool), np.nan)
        padded[: len(page)] = propensities
        padded[list(fixed.values())] = np.nan
        propensities = padded[order]
    return DrawnPage(replace(drawn.page, items=pool.take(np.array(order, np.intp))), propensities)


def passed_filters(scene: ScenePage, wanted: Sequence[int], known: NDArray[np.int32]) -> Candidates:
    """Those of the dense items `wanted` that are not `known`, as far as the scene's filters let them pass."""
    distinct = np.unique(np.array(wanted, np.int32))
    found = _candidates(distinct[np.isin(distinct, known, invert=True)])
    query: Query = scene.ranked.query
    for stage in scene.ranked.pipeline.filters:
        found = found.take(stage.keep(query, found))
    return found


def _candidates(items: NDArray[np.int32]) -> Candidates:
    count = len(items)
    return unscored(items, np.zeros(count, np.uint32), np.zeros(count, np.float32), np.zeros(count, np.int32))
