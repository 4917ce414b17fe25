"""The purchase filter: what was bought once is hidden, categories wait for their cycle, clicks lift both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recall.query import Query
from recall.search.text_index import TextMatch
from recall.search.wish import Wish
from router.filters.purchase_cycle import PurchaseCycle, PurchaseCycleSettings, create
from router.query_features.feedback import ItemFeedback
from router.tables.component import Parts
from snapshot.event_codes import CART, IMPRESSION, PURCHASE, VIEW
from state.feedback_codes import OWNED
from tests.router.filters.cycle_tables import cycle_tables
from tests.router.filters.test_filters import DAY, NOW, candidates, shopper

SIZE = 30
FINE = np.r_[0, 1 + np.arange(SIZE) // 10].astype(np.int32)
"""Items 1…10 are groceries, 11…20 fridges, 21…30 vitamins; the last two share a coarse category."""
COARSE = np.r_[0, np.repeat([1, 2, 2], 10)].astype(np.int32)
GROCERIES, FRIDGES, VITAMINS = 1, 11, 21
TABLES = cycle_tables(
    FINE,
    COARSE,
    # A tenth of the buyers is back after 2 hours, 351 days, 21 days; of the coarse ones within a day.
    {"fine": [0.0, 1.0, 0.0003, 0.005], "coarse": [0.0, 1.0, 1.0]},
    # Groceries and vitamins are bought again, fridges are not.
    [0.0, 0.05, 0.0001, 0.01],
)
ITEMS = list(range(1, SIZE + 1))


def opened(**settings: object) -> PurchaseCycle:
    return create(Parts(None, TABLES), PurchaseCycleSettings(**settings))  # type: ignore[arg-type]


def kept(query: Query, **settings: object) -> set[int]:
    mask = opened(**settings).keep(query, candidates(ITEMS))
    assert mask.shape == (SIZE,)
    return set(np.array(ITEMS)[mask].tolist())


def clicked(query: Query, *rows: tuple[int, int, int]) -> Query:
    """With a history of (item, event, seconds ago)."""
    return replace(
        query,
        history_items=np.array([item for item, _, _ in rows], np.int32),
        history_events=np.array([event for _, event, _ in rows], np.uint8),
        history_ts=np.array([NOW - ago for _, _, ago in rows], np.int64),
    )


def test_a_durable_category_is_blocked_and_a_grocery_is_not() -> None:
    query = shopper(bought=[(FRIDGES, NOW - 60 * DAY), (GROCERIES, NOW - 2 * DAY)])
    assert kept(query) == set(ITEMS) - set(range(11, 21))


def test_a_block_ends_with_the_cycle_and_with_the_longest_time() -> None:
    cycle = float(-np.log(0.9) / 0.005)
    for ago, shown in ((cycle - 0.5, False), (cycle + 0.5, True)):
        query = shopper(bought=[(VITAMINS, NOW - int(ago * DAY))])
        assert (22 in kept(query)) is shown
    query = shopper(bought=[(FRIDGES, NOW - 40 * DAY)])
    assert 12 not in kept(query)
    assert 12 in kept(query, longest_days=30.0)
    assert 12 in kept(query, returning_share=0.0)
    assert 12 in kept(query, minimum_cycle_days=400.0)


def test_what_its_buyers_buy_as_often_as_others_is_not_blocked() -> None:
    query = shopper(bought=[(FRIDGES, NOW - 60 * DAY), (VITAMINS, NOW - DAY)])
    blocked = set(range(11, 31))
    assert kept(query) == set(ITEMS) - blocked
    tables = cycle_tables(
        FINE,
        COARSE,
        {"fine": [0.0, 1.0, 0.0003, 0.005], "coarse": [0.0, 1.0, 1.0]},
        [0.0, 0.05, 0.0001, 0.01],
        # Others buy more fridges, and fewer vitamins.
        {"fine": [0.0, 0.1, 0.001, 0.004]},
    )
    mask = create(Parts(None, tables), PurchaseCycleSettings()).keep(query, candidates(ITEMS))
    assert set(np.array(ITEMS)[mask].tolist()) == set(ITEMS) - set(range(11, 21))


def test_a_page_about_an_item_shows_its_category_but_not_what_was_bought() -> None:
    query = shopper(bought=[(FRIDGES, NOW - 60 * DAY), (VITAMINS, NOW - DAY)])
    about = query.about(np.array([15], np.int32))
    assert kept(about) == set(ITEMS) - {FRIDGES} - set(range(21, 31))


def test_what_is_searched_for_is_shown_whatever_was_bought() -> None:
    bought = shopper(bought=[(FRIDGES, NOW - 60 * DAY), (VITAMINS, NOW - DAY)])
    found = np.array([FRIDGES, 12, GROCERIES], np.int32)
    text = TextMatch(np.sort(found), np.ones(3, np.float32), np.ones(3, np.bool_))
    searching = replace(bought, wish=Wish(text=text))
    assert kept(searching) - kept(bought) == {FRIDGES, 12}
    item, code, ts = np.array([FRIDGES], np.int32), np.array([OWNED], np.uint8), np.array([NOW - DAY])
    owned = replace(searching, features={"feedback": ItemFeedback(item, code, ts)})
    assert kept(owned) == kept(searching) - {FRIDGES}


def test_an_item_that_the_shopper_says_to_own_is_hidden_until_the_longest_time() -> None:
    item, code, ts = np.array([GROCERIES], np.int32), np.array([OWNED], np.uint8), np.array([NOW - 40 * DAY])
    query = shopper(said=ItemFeedback(item, code, ts))
    assert kept(query) == set(ITEMS) - {GROCERIES}
    assert kept(query, longest_days=30.0) == set(ITEMS)


def test_an_item_bought_once_is_hidden_where_nobody_buys_it_again_and_a_habit_stays() -> None:
    long_ago = [NOW - days * DAY for days in (900, 800)]
    once = shopper(bought=[(FRIDGES, long_ago[0]), (GROCERIES, long_ago[0])])
    assert kept(once) == set(ITEMS) - {FRIDGES}
    twice = shopper(bought=[(FRIDGES, ts) for ts in long_ago])
    assert kept(twice) == set(ITEMS)
    same_day = shopper(bought=[(FRIDGES, long_ago[0]), (FRIDGES, long_ago[0] + 60)])
    assert kept(same_day) == set(ITEMS) - {FRIDGES}
    assert kept(once, minimum_chance=0.0) == set(ITEMS)


def test_several_active_clicks_after_the_purchase_lift_a_block() -> None:
    query = shopper(bought=[(FRIDGES, NOW - 60 * DAY)])
    views = [(12, VIEW, 3 * DAY), (13, CART, 2 * DAY), (14, VIEW, DAY)]
    blocked = set(ITEMS) - set(range(11, 21))
    assert kept(clicked(query, *views[:2])) == blocked
    assert kept(clicked(query, *views)) == set(ITEMS)
    assert kept(clicked(query, *views[:2]), lifting_clicks=2) == set(ITEMS)
    for row in (
        (14, VIEW, 70 * DAY),
        (14, IMPRESSION, DAY),
        (14, PURCHASE, 61 * DAY),
        (GROCERIES, VIEW, DAY),
    ):
        assert kept(clicked(query, *views[:2], row)) == blocked, row


def test_where_nothing_is_learned_a_purchase_hides_the_item_alone_for_the_window() -> None:
    query = shopper(bought=[(FRIDGES, NOW - 3 * DAY), (12, NOW - 9 * DAY)])
    assert kept(query, learned=False, window_days=5.0) == set(ITEMS) - {FRIDGES}


@given(
    st.lists(st.tuples(st.integers(1, SIZE), st.integers(0, 400 * DAY)), max_size=20),
    st.lists(st.tuples(st.integers(1, SIZE), st.integers(1, 5), st.integers(0, 400 * DAY)), max_size=20),
)
def test_it_removes_just_what_its_parts_say(
    bought: list[tuple[int, int]], history: list[tuple[int, int, int]]
) -> None:
    """Against a plain reading of the rule, one item after the other."""
    query = clicked(shopper(bought=[(item, NOW - ago) for item, ago in bought]), *history)
    opened_filter = opened()
    for item in ITEMS:
        assert (item in kept(query)) is not (
            _blocked(FINE, [0, 0, 351.2, 21.07], bought, history, item)
            or _once(opened_filter, bought, history, item)
        )


def _clicks(category: int, since: int, history: list[tuple[int, int, int]]) -> int:
    return sum(FINE[i] == category and event in (VIEW, 3, CART) and ago < since for i, event, ago in history)


def _blocked(
    column: np.ndarray, cycle: list[float], bought: list[tuple[int, int]], history: list, item: int
) -> bool:
    own = [ago for other, ago in bought if column[other] == column[item]]
    if not own or min(own) >= cycle[column[item]] * DAY or cycle[column[item]] == 0:
        return False
    return _clicks(int(column[item]), min(own), history) < 3


def _once(opened_filter: PurchaseCycle, bought: list[tuple[int, int]], history: list, item: int) -> bool:
    own = [ago for other, ago in bought if other == item]
    if not own or len({(NOW - ago) // DAY for ago in own}) > 1:
        return False
    fine = FINE[[item]]
    age = np.array([min(own) / DAY])
    chance = opened_filter.cycles.chance(np.array([item], np.int32), fine, age, 30.0)[0]
    since = min(ago for other, ago in bought if FINE[other] == FINE[item])
    return bool(chance < 0.05) and _clicks(int(fine[0]), since, history) < 3
