"""Fits the prices that keep an item from the head of more than a part of the pages, on simulated pages."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.queries import TestShopper
from evaluation.served_scene import UNHURRIED_MS
from pipeline.candidates import Candidates
from pipeline.head_order import head_of, priced_out
from pipeline.plan import Pipeline
from pipeline.runner import arrange, rank
from recall.popularity import CAPS, REACH, Prices
from recall.query import Query
from router.ranking.log_odds_merge import log_odds_of

ROUNDS = 200
_FIRST_STEP = 0.5
_SLOWER = 0.1
_TOLERANCE = 0.03


async def simulated_pages(
    pipeline: Pipeline[Query], shoppers: Sequence[TestShopper], head: int
) -> list[Candidates]:
    """The page of each shopper, and as many spares behind the head as its items may be replaced by."""
    pages = []
    for shopper in shoppers:
        deadline = time.monotonic() + UNHURRIED_MS / 1_000
        slots = REACH * head
        ranked = await rank(pipeline, shopper.query, slots, deadline, time.monotonic)
        pages.append(arrange(ranked, slots).items)
    return pages


def fit_prices(pages: Sequence[Candidates], head: int, most_lost: float = 1.0) -> Prices:
    """For each of `CAPS`, prices under which no item is in the first `head` slots of more of the pages.

    Ascent of the dual by each item's excess over the cap, with falling steps. No take is looked at, so that
    nothing of what is to be predicted enters: what a cap costs is what the scores expect of the heads less.
    One that costs more than it may has the prices of the strictest before it that does not; none, where even
    the first does.

    pages: in page order; those that no scorer ordered are left out; most_lost: part of what the scores expect
    to be taken of the heads that a cap may cost, 0 to 1.
    """
    scored = [page for page in pages if len(page) and np.isfinite(page.score).any()]
    if not scored:
        return Prices(np.empty(0, np.int32), np.empty((0, len(CAPS)), np.float32))
    items, places = np.unique(np.concatenate([page.items for page in scored]), return_inverse=True)
    width = max(map(len, scored))
    place = np.full((len(scored), width), items.size, np.int64)
    value = np.full((len(scored), width), np.nan)
    start = 0
    for row, page in enumerate(scored):
        place[row, : len(page)] = places[start : start + len(page)]
        value[row, : len(page)] = log_odds_of(page.score)
        start += len(page)
    prices = np.zeros((items.size, len(CAPS)), np.float32)
    affordable = np.zeros(items.size)
    for column, most in enumerate(CAPS):
        found = _prices_under(place, value, items.size, head, most)
        if _lost(place, value, found, head) <= most_lost:
            affordable = found
        prices[:, column] = affordable
    some = prices.any(axis=1)
    return Prices(items[some].astype(np.int32), prices[some])


def _lost(
    place: NDArray[np.int64], value: NDArray[np.float64], price: NDArray[np.float64], head: int
) -> float:
    """Part of the takes expected in the heads that prices, float64[count], cost; else as `_prices_under`."""
    expected = 1 / (1 + np.exp(-np.nan_to_num(value, nan=-np.inf)))
    out = priced_out(value, np.append(price, 0)[place], head)
    before = expected[:, :head].sum()
    return float(1 - expected[head_of(out, head)].sum() / before) if before else 0.0


def _prices_under(
    place: NDArray[np.int64], value: NDArray[np.float64], count: int, head: int, most: float
) -> NDArray[np.float64]:
    """float64[count]; of the last round that holds the cap within `_TOLERANCE`, else of that nearest to it.

    place: int64[pages, width], index of the item, `count` = no item; value: float64 of that shape, log-odds.
    """
    price = np.zeros(count + 1)
    best, least = price, np.inf
    for step in range(ROUNDS):
        first = head_of(priced_out(value, price[place], head), head)
        shown = np.bincount(place[first], minlength=count + 1) / len(place)
        excess = np.where((price > 0) | (shown > most), shown - most, 0.0)
        excess[count] = 0
        worst = float(np.max(shown[:count] - most, initial=0.0))
        if worst <= max(least, _TOLERANCE * most):
            best, least = price, worst
        # Relative to the cap, so that a small one is reached in as many rounds as a large one.
        price = np.maximum(price + _FIRST_STEP / (1 + _SLOWER * step) * excess / most, 0)
    return best[:count]
