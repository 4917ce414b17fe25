"""What a shopper did with things equals counting event by event."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.memory import (
    BOUGHT,
    COUNT,
    DAYS,
    DECAYED,
    HALF_LIVES_DAYS,
    NEVER_DAYS,
    NEWEST,
    ROWS,
    SPAN,
    memory,
    past_of,
)
from snapshot.event_codes import PURCHASE

DAY = 86_400
NOW = 500 * DAY + 1_234
EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(2, 5), st.integers(NOW - 400 * DAY, NOW + DAY)), max_size=30
)


def remembered(things: list[int], events: list[tuple[int, int, int]]) -> np.ndarray:
    """Of (thing, event, ts), newest first."""
    columns = np.array(events, np.int64).reshape(-1, 3)
    past = past_of(columns[:, 1].astype(np.uint8), columns[:, 2], NOW)
    assert past.visits == len({ts // DAY for _, _, ts in events})
    return memory(np.array(things, np.int32), columns[:, 0].astype(np.int32), past)


@given(things=st.lists(st.integers(0, 7), max_size=8), events=EVENTS)
def test_memory_is_what_counting_event_by_event_gives(
    things: list[int], events: list[tuple[int, int, int]]
) -> None:
    events = sorted(events, key=lambda event: -event[2])
    found = remembered(things, events)
    for row, thing in enumerate(things):
        own = [(event, ts) for touched, event, ts in events if touched == thing and thing > 0]
        ages = [max(NOW - ts, 0) / DAY for _, ts in own]
        assert found[COUNT, row] == len(own)
        for column, half in enumerate(HALF_LIVES_DAYS):
            np.testing.assert_allclose(
                found[DECAYED][column, row], sum(0.5 ** (age / half) for age in ages), rtol=1e-5
            )
        assert found[BOUGHT, row] == sum(event == PURCHASE for event, _ in own)
        np.testing.assert_allclose(found[NEWEST, row], min(ages, default=NEVER_DAYS), rtol=1e-6)
        assert found[DAYS, row] == len({ts // DAY for _, ts in own})
        np.testing.assert_allclose(
            found[SPAN, row], max(ages) - min(ages) if ages else 0.0, rtol=1e-5, atol=1e-4
        )


def test_nothing_is_remembered_of_an_unknown_thing() -> None:
    found = remembered([0], [(0, 2, NOW), (0, 5, NOW)])
    assert (found[COUNT, 0], found[NEWEST, 0]) == (0, NEVER_DAYS)


def test_columns_are_float32_and_as_long_as_the_things() -> None:
    found = remembered([3, 1, 3], [])
    assert (found.dtype, found.shape) == (np.float32, (len(ROWS), 3))


def test_more_things_than_a_radix_sort_takes() -> None:
    found = remembered(list(range(1, 70_001)), [(70_000, 2, NOW), (5, 2, NOW - DAY), (70_000, 5, NOW - DAY)])
    assert (found[COUNT, 69_999], found[COUNT, 4], found[COUNT].sum()) == (2, 1, 3)
