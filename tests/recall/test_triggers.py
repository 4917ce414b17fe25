import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.reference_time import MAX_ABSENCE_S
from recall.triggers import TriggerSettings, select_triggers
from snapshot.event_codes import EVENT_STRENGTH

HOUR = 3_600
NOW = 1_000 * HOUR
IMPRESSION, VIEW, CART, PURCHASE = 1, 2, 4, 5
histories = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 5), st.integers(-10 * HOUR, 900 * HOUR)), max_size=30
)


def select(history, limit=None, settings=TriggerSettings(time_scale_hours=24)):
    table = np.array(history, np.int64).reshape(-1, 3)
    items, weights = select_triggers(
        table[:, 0].astype(np.int32), table[:, 1].astype(np.uint8), NOW - table[:, 2], NOW, limit, settings
    )
    assert (items.dtype, weights.dtype) == (np.int32, np.float32)
    return items.tolist(), weights.tolist()


@given(histories, st.integers(0, 8))
def test_triggers_are_the_heaviest_distinct_items(history, limit):
    weight: dict[int, float] = {}
    absence = max(min((age for _, _, age in history), default=0) - MAX_ABSENCE_S, 0)
    for item, event, age in history:
        if item and event != IMPRESSION:
            strength = float(EVENT_STRENGTH[event]) / (1 + max(age - absence, 0) / (24 * HOUR))
            weight[item] = weight.get(item, 0) + strength
    items, weights = select(history, limit)
    assert len(items) == min(limit, len(weight))
    assert len(set(items)) == len(items)
    heaviest = sorted(weight.values(), reverse=True)[:limit]
    np.testing.assert_allclose(weights, [w / max(weight.values()) for w in heaviest], rtol=1e-5)
    np.testing.assert_allclose(weights, [weight[i] / max(weight.values()) for i in items], rtol=1e-5)


def test_a_long_absence_leaves_the_weights_of_a_week():
    after_a_week, after_a_year = (
        select([(1, VIEW, away), (2, VIEW, away + 24 * HOUR)])
        for away in (MAX_ABSENCE_S, MAX_ABSENCE_S + 365 * 24 * HOUR)
    )
    assert after_a_week == after_a_year
    assert after_a_week[1][1] < after_a_week[1][0]


def test_recent_strong_and_repeated_weigh_more():
    assert select([(1, VIEW, 50 * HOUR), (2, VIEW, HOUR)])[0] == [2, 1]
    assert select([(1, VIEW, HOUR), (2, PURCHASE, HOUR)])[0] == [2, 1]
    assert select([(1, VIEW, HOUR), (2, VIEW, HOUR), (2, VIEW, HOUR)])[0] == [2, 1]


def test_impressions_and_unknown_items_cause_nothing():
    assert select([(1, IMPRESSION, 0), (0, CART, 0)]) == ([], [])


def test_the_settings_limit_holds_by_default():
    assert len(select([(item, VIEW, 0) for item in range(1, 9)], None, TriggerSettings(limit=3))[0]) == 3
