"""The table of venues against values computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation.queries import TestShopper
from evaluation.venue_table import venue_table
from router.rerank.venues import Venues, VenuesSettings
from tests.pipeline.stand_ins import FixedChannel
from tests.pipeline.test_runner import pipeline
from tests.recall.small_shop import NOW, make_catalogue, make_query, make_source

# Twelve items in six venues, two each; the last two are of none.
COLUMN = np.array([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 0, 0], np.int32)
VIEW, DAY = 2, 86_400


def shopper(targets: list[int], history: list[int] = []) -> TestShopper:  # noqa: B006
    wanted = np.array(targets, np.int32)
    return TestShopper(make_query([(item, VIEW, NOW - 9) for item in history]), wanted, wanted, wanted)


def test_rows_by_hand(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1] * 12)
    # Venue 5 has two shoppers, venue 4 one; what is older does not count.
    log = [(1, 9, VIEW, NOW - 5), (2, 10, VIEW, NOW - 5), (2, 7, VIEW, NOW - 6), (1, 1, VIEW, NOW - 90 * DAY)]
    stage = Venues(COLUMN, None, VenuesSettings(items=1, habit=0.0))
    tested = pipeline(FixedChannel("a", [3, 1, 5, 9, 7]), rerankers=(stage,))
    shoppers = [shopper([4, 8, 12], [5, 6, 1]), shopper([2, 9]), shopper([11])]
    rows = venue_table(
        shoppers, {"halls": tested, "plain": pipeline(FixedChannel("a", [1]))}, make_source(catalogue, log)
    )
    assert list(rows) == ["halls", "halls: popularity", "halls: most taken by the shopper"]
    # The page shows venues 2, 1, 3, 5: one of the two of the first shopper, both of the second.
    assert rows["halls"]["recall@4"] == pytest.approx((1 / 2 + 1) / 2)
    assert rows["halls"]["hr@4"] == 1
    discount = 1 / np.log2(np.arange(2, 6))
    best = discount[:2].sum()
    assert rows["halls"]["ndcg@4"] == pytest.approx(
        (discount[0] / best + (discount[1] + discount[3]) / best) / 2
    )
    # 5, 4, then those that nobody took lately: 1, 2.
    assert rows["halls: popularity"]["recall@4"] == pytest.approx(1)
    # The first shopper's own are 3 and 1, then 5 and 4.
    assert rows["halls: most taken by the shopper"]["recall@4"] == pytest.approx((1 / 2 + 1) / 2)
