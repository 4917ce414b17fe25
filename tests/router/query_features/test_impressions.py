"""What the shopper was shown, in the dense ids of the snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from router.query_features.impressions import FEATURE
from router.query_features.kind import FeatureRequest
from snapshot.item_keys import item_keys
from state.user_state import EMPTY_STATE, TimedItems, UserState
from tests.recall.small_shop import NOW, make_catalogue


def request(folder: Path, state: UserState) -> FeatureRequest:
    return FeatureRequest("u", NOW, state, {}, make_catalogue(folder, [1, 1, 2]), cast(Any, None))


async def test_served_items_are_given_newest_first_without_unknown_ones(tmp_path: Path) -> None:
    served = TimedItems(
        item_keys(["i3", "gone", "i1", "i3"]), np.array([NOW - 1, NOW - 2, NOW - 3, NOW - 9], np.int64)
    )
    found = await FEATURE.hydrate(request(tmp_path, UserState(impressions=served)))
    assert found.items.tolist() == [3, 1, 3]
    assert found.ts.tolist() == [NOW - 1, NOW - 3, NOW - 9]
    assert (found.items.dtype, found.ts.dtype) == (np.int32, np.int64)


async def test_a_shopper_never_seen_has_the_default(tmp_path: Path) -> None:
    found = await FEATURE.hydrate(request(tmp_path, EMPTY_STATE))
    for column, default in zip(found, FEATURE.default, strict=True):
        assert column.size == default.size == 0
        assert column.dtype == default.dtype
        assert not default.flags.writeable
