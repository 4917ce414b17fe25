"""Auctions and flash sales: shown between their start and their end alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from router.filters.on_offer import FILTER, OnOfferSettings
from router.tables.component import Parts
from tests.router.filters.test_filters import NOW, candidates, shopper

# Item 1 has no times; 2 begins now, 3 in a second; 4 ends in a second, 5 now; 6 has a time for both.
STARTS = np.array([0, 0, NOW, NOW + 1, 0, 0, NOW - 10])
EXPIRES = np.array([0, 0, 0, 0, NOW + 1, NOW, NOW + 60])
PARTS = Parts(SimpleNamespace(starts_at=STARTS, expires_at=EXPIRES), {})  # type: ignore[arg-type]


@pytest.mark.parametrize(("margin", "kept"), [(0.0, [1, 2, 4, 6]), (1.0, [1, 2, 6]), (60.0, [1, 2])])
def test_what_has_begun_and_not_ended_is_shown(margin: float, kept: list[int]) -> None:
    found = candidates([1, 2, 3, 4, 5, 6])
    stage = FILTER.create(PARTS, OnOfferSettings(margin_s=margin))
    assert found.items[stage.keep(shopper(), found)].tolist() == kept
    stage = FILTER.create(PARTS, OnOfferSettings(margin_s=margin, required=True))
    assert found.items[stage.keep(shopper(), found)].tolist() == [item for item in kept if item in (4, 6)]
