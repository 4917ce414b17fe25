"""What the shopper said of items, but what was withdrawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from router.query_features.feedback import FEATURE, in_force
from snapshot.item_keys import item_keys
from state.feedback_codes import NOT_INTERESTED, OWNED, SEEN_TOO_OFTEN, WITHDRAWN
from state.user_state import Behaviours, UserState
from tests.recall.small_shop import NOW
from tests.router.query_features.test_impressions import request

CODES = st.sampled_from([NOT_INTERESTED, SEEN_TOO_OFTEN, OWNED, WITHDRAWN])


async def test_newer_feedback_than_the_withdrawal_holds_and_unknown_items_are_left_out(
    tmp_path: Path,
) -> None:
    feedback = Behaviours(
        item_keys(["i1", "gone", "i1", "i2", "i1"]),
        np.array([OWNED, OWNED, WITHDRAWN, SEEN_TOO_OFTEN, NOT_INTERESTED], np.uint8),
        np.array([NOW - 1, NOW - 2, NOW - 3, NOW - 4, NOW - 5], np.int64),
    )
    found = await FEATURE.hydrate(request(tmp_path, UserState(feedback=feedback)))
    assert found.items.tolist() == [1, 2]
    assert found.codes.tolist() == [OWNED, SEEN_TOO_OFTEN]
    assert found.ts.tolist() == [NOW - 1, NOW - 4]


@given(st.lists(st.tuples(st.integers(1, 4), CODES), max_size=20))
def test_a_withdrawal_voids_what_came_before_it(rows: list[tuple[int, int]]) -> None:
    columns = Behaviours(
        np.array([item for item, _ in rows], np.uint64),
        np.array([code for _, code in rows], np.uint8),
        np.zeros(len(rows), np.int64),
    )
    withdrawn: set[int] = set()
    expected = []
    for position, (item, code) in enumerate(rows):
        if code == WITHDRAWN:
            withdrawn.add(item)
        elif item not in withdrawn:
            expected.append(position)
    assert in_force(columns).tolist() == expected
