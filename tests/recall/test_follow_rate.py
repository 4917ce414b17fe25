import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recall.follow_rate import ClickRate, FollowRate, clicked_after, events_within
from recall.pair_blocks import UserEvents

ITEMS = 5
WINDOW = 10
STRENGTH = 3.0
moments = st.integers(-30, 60)
# Each (shopper, item) once, as what shoppers took stands in the build.
taken_logs = st.dictionaries(st.tuples(st.integers(1, 4), st.integers(1, ITEMS)), moments, max_size=20)
shown_logs = st.lists(st.tuples(st.integers(1, 4), st.integers(1, ITEMS), moments), max_size=25)


def events_of(log) -> UserEvents:
    table = np.array(sorted(log, key=lambda row: (row[0], row[2], row[1])), np.int64).reshape(-1, 3)
    return UserEvents(table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2])


def all_pairs() -> tuple[np.ndarray, np.ndarray]:
    triggers, targets = np.meshgrid(np.arange(1, ITEMS + 1), np.arange(1, ITEMS + 1))
    different = triggers != targets
    return triggers[different], targets[different]


@given(taken_logs)
def test_conversion_is_the_posterior_mean_of_counted_followers(log):
    taken = events_of([(user, item, ts) for (user, item), ts in log.items()])
    triggers, targets = all_pairs()

    def follows(i: int, j: int) -> int:
        return sum(
            (user, i) in log and 0 <= log[user, j] - log[user, i] <= WINDOW
            for user, item in log
            if item == j and i != j
        )

    took = {item: sum(at == item for _, at in log) for item in range(1, ITEMS + 1)}
    prior = {j: (sum(follows(i, j) for i in took) + 1) / (len(log) + ITEMS) for j in took}
    expected = [
        (follows(i, j) + STRENGTH * prior[j]) / (took[i] + STRENGTH)
        for i, j in zip(triggers.tolist(), targets.tolist(), strict=True)
    ]
    rate = FollowRate.over(taken, ITEMS, WINDOW, STRENGTH).of((1, ITEMS + 1), triggers, targets)
    np.testing.assert_allclose(rate, expected, rtol=1e-5)


@given(taken_logs, shown_logs)
def test_click_through_is_the_posterior_mean_of_counted_impressions(log, shows):
    taken = events_of([(user, item, ts) for (user, item), ts in log.items()])
    triggers, targets = all_pairs()

    def clicked(user: int, item: int, ts: int) -> bool:
        return (user, item) in log and 0 <= log[user, item] - ts <= WINDOW

    shown_of = {j: [show for show in shows if show[1] == j] for j in range(1, ITEMS + 1)}
    clicks_of = {j: [show for show in shown_of[j] if clicked(*show)] for j in shown_of}
    overall = min((sum(map(len, clicks_of.values())) + 1) / (len(shows) + STRENGTH), 1)

    def after(i: int, events: list[tuple[int, int, int]]) -> int:
        return sum((user, i) in log and 0 <= ts - log[user, i] <= WINDOW for user, _, ts in events)

    expected = []
    for i, j in zip(triggers.tolist(), targets.tolist(), strict=True):
        prior = (len(clicks_of[j]) + STRENGTH * overall) / (len(shown_of[j]) + STRENGTH)
        expected.append((after(i, clicks_of[j]) + STRENGTH * prior) / (after(i, shown_of[j]) + STRENGTH))
    rate = ClickRate.over(taken, events_of(shows), ITEMS, WINDOW, STRENGTH).of(
        (1, ITEMS + 1), triggers, targets
    )
    np.testing.assert_allclose(rate, expected, rtol=1e-5)
    assert ((rate > 0) & (rate <= 1)).all()


@given(shown_logs, shown_logs)
def test_an_impression_is_clicked_by_a_later_response_to_the_same_item(shows, responses):
    shown = events_of(shows)
    expected = [
        any((u, i) == (user, item) and 0 <= t - ts <= WINDOW for u, i, t in responses)
        for user, item, ts in zip(shown.user, shown.item, shown.ts, strict=True)
    ]
    assert clicked_after(shown, events_of(responses), WINDOW).tolist() == expected


@given(shown_logs, shown_logs)
def test_events_within_counts_the_same_shoppers_recent_events(log, asked_log):
    asked = events_of(asked_log)
    expected = [
        sum(u == user and ts - WINDOW <= t <= ts for u, _, t in log)
        for user, ts in zip(asked.user, asked.ts, strict=True)
    ]
    assert events_within(events_of(log), asked, WINDOW).tolist() == expected
