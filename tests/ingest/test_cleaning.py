from collections.abc import Callable
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cleaning.bot_clickers import BotClickerSettings, keep_bot_clickers_out
from ingest.cleaning.evidence import Evidence, time_resolution_ms
from ingest.cleaning.hyperactive_users import HyperactiveUserSettings, keep_hyperactive_users_down
from ingest.cleaning.instant_misclicks import InstantMisclickSettings, keep_instant_misclicks_out
from ingest.cleaning.repeated_carts import RepeatedCartSettings, keep_repeated_carts_out
from ingest.cleaning.rules import RULES, clean
from ingest.cleaning.views_after_purchase import ViewAfterPurchaseSettings, keep_views_after_purchase_out
from ingest.settings import CleaningSettings
from snapshot.event_codes import CART, FAVORITE, IMPRESSION, PURCHASE, VIEW

MILLISECONDS = Evidence(resolution_ms=1, seed=0)
SECONDS = Evidence(resolution_ms=1_000, seed=0)
DAYS = Evidence(resolution_ms=86_400_000, seed=0)


def table(*rows: tuple[int, int, int, int]) -> pl.DataFrame:
    """Rows of user, item, event, ts_ms, sorted by user and time as rules expect."""
    schema = {"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts_ms": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("user", "ts_ms", maintain_order=True)


class TestTimeResolution:
    @pytest.mark.parametrize(
        ("ts_ms", "resolution"),
        [
            ([86_400_000, 0], 86_400_000),
            ([3_600_000, 86_400_000], 3_600_000),
            ([60_000], 60_000),
            ([61_000, 60_000], 1_000),
            ([61_001, 60_000], 1),
            ([86_400_000] * 199 + [5], 86_400_000),
            ([86_400_000] * 19 + [5], 1),
        ],
    )
    def test_is_the_coarsest_that_divides_nearly_all(self, ts_ms: list[int], resolution: int) -> None:
        assert time_resolution_ms(pl.Series(ts_ms)) == resolution


class TestBotClickers:
    settings = BotClickerSettings(max_clicks_per_minute=3, max_clicks_per_day=6)

    def keep(self, events: pl.DataFrame, evidence: Evidence = MILLISECONDS) -> list[bool]:
        return keep_bot_clickers_out(events, self.settings, evidence).to_list()

    def test_one_click_more_than_allowed_in_a_sliding_minute_removes_the_whole_user(self) -> None:
        bot = [(1, item, VIEW, 50_000 + 15_000 * item) for item in range(4)]
        person = [(2, item, VIEW, 50_000 + 20_000 * item) for item in range(4)]
        events = table(*bot, (1, 9, PURCHASE, 10**9), *person)
        assert self.keep(events) == [False] * 5 + [True] * 4

    def test_the_day_counts_too(self) -> None:
        slow = [(1, item, CART, 3_600_000 * item) for item in range(7)]
        slower = [(2, item, FAVORITE, 4 * 3_600_000 * item) for item in range(7)]
        assert self.keep(table(*slow, *slower)) == [False] * 7 + [True] * 7

    def test_a_large_basket_is_no_bot(self) -> None:
        basket = [(1, item, PURCHASE, 5_000) for item in range(100)]
        shown = [(1, item, IMPRESSION, 5_000) for item in range(100)]
        assert all(self.keep(table(*basket, *shown), SECONDS))

    def test_coarse_times_convict_only_where_certain(self) -> None:
        same_day = [(1, item, VIEW, 86_400_000) for item in range(5)]
        assert all(self.keep(table(*same_day), DAYS))
        assert not any(self.keep(table(*same_day, *same_day), DAYS))

    def test_clicks_of_different_users_are_not_added_up(self) -> None:
        assert all(self.keep(table(*[(user, 1, VIEW, 1_000) for user in range(10)])))


class TestInstantMisclicks:
    def keep(self, events: pl.DataFrame, evidence: Evidence = MILLISECONDS) -> list[bool]:
        return keep_instant_misclicks_out(
            events, InstantMisclickSettings(max_dwell_ms=800), evidence
        ).to_list()

    def test_a_view_left_at_once_for_another_item_goes(self) -> None:
        assert self.keep(table((1, 1, VIEW, 0), (1, 2, VIEW, 799), (1, 3, VIEW, 5_000))) == [
            False,
            True,
            True,
        ]
        assert self.keep(table((1, 1, VIEW, 0), (1, 2, VIEW, 800))) == [True, True]

    @pytest.mark.parametrize("ts_ms", [-5_000, 9_000])
    @pytest.mark.parametrize("event", [VIEW, CART, PURCHASE])
    def test_any_other_behaviour_on_the_item_saves_it(self, event: int, ts_ms: int) -> None:
        assert all(self.keep(table((1, 1, VIEW, 0), (1, 2, VIEW, 500), (1, 1, event, ts_ms))))

    def test_an_impression_neither_saves_nor_separates(self) -> None:
        events = table((1, 1, VIEW, 0), (1, 1, IMPRESSION, 100), (1, 2, VIEW, 500))
        assert self.keep(events) == [False, True, True]

    def test_other_continuations_save_it(self) -> None:
        assert all(self.keep(table((1, 1, VIEW, 0), (1, 2, CART, 500))))
        assert all(self.keep(table((1, 1, VIEW, 0), (2, 2, VIEW, 500))))
        assert all(self.keep(table((1, 1, CART, 0), (1, 2, VIEW, 500))))
        assert all(self.keep(table((1, 1, VIEW, 0))))

    def test_whole_seconds_take_only_views_of_the_same_second(self) -> None:
        events = table((1, 1, VIEW, 0), (1, 2, VIEW, 0), (1, 3, VIEW, 1_000), (1, 4, VIEW, 9_000))
        one_second = InstantMisclickSettings(max_dwell_ms=1_000)
        kept = keep_instant_misclicks_out(events, one_second, SECONDS).to_list()
        assert kept == [False, True, True, True]
        assert all(keep_instant_misclicks_out(events, one_second, Evidence(60_000, 0)))


class TestViewsAfterPurchase:
    settings = ViewAfterPurchaseSettings(window_seconds=60)

    def keep(self, events: pl.DataFrame, evidence: Evidence = MILLISECONDS) -> list[bool]:
        return keep_views_after_purchase_out(events, self.settings, evidence).to_list()

    def test_views_within_the_window_of_the_latest_purchase_go(self) -> None:
        events = table(
            (1, 1, VIEW, 0), (1, 1, PURCHASE, 1_000), (1, 1, VIEW, 60_999), (1, 1, VIEW, 61_000),
            (1, 1, PURCHASE, 200_000), (1, 1, VIEW, 230_000),
        )  # fmt: skip
        assert self.keep(events) == [True, True, False, True, True, False]

    def test_other_items_users_and_events_stay(self) -> None:
        events = table(
            (1, 1, PURCHASE, 0), (1, 2, VIEW, 10), (1, 1, CART, 20), (1, 1, IMPRESSION, 30), (2, 1, VIEW, 10)
        )
        assert all(self.keep(events))

    def test_at_the_same_time_the_order_of_the_log_decides(self) -> None:
        assert self.keep(table((1, 1, VIEW, 0), (1, 1, PURCHASE, 0)), SECONDS) == [True, True]
        assert self.keep(table((1, 1, PURCHASE, 0), (1, 1, VIEW, 0)), SECONDS) == [True, False]

    def test_days_are_too_coarse_for_a_minute(self) -> None:
        assert all(self.keep(table((1, 1, PURCHASE, 0), (1, 1, VIEW, 0)), DAYS))


class TestRepeatedCarts:
    settings = RepeatedCartSettings(window_seconds=60)

    def keep(self, events: pl.DataFrame, evidence: Evidence = MILLISECONDS) -> list[bool]:
        return keep_repeated_carts_out(events, self.settings, evidence).to_list()

    @pytest.mark.parametrize("event", [CART, FAVORITE])
    def test_a_chain_of_quick_repeats_collapses_to_its_first(self, event: int) -> None:
        events = table(*[(1, 1, event, 40_000 * turn) for turn in range(4)], (1, 1, event, 500_000))
        assert self.keep(events) == [True, False, False, False, True]

    def test_other_pairs_and_kinds_in_between_do_not_matter(self) -> None:
        events = table(
            (1, 1, CART, 0), (1, 2, CART, 1_000), (1, 1, FAVORITE, 2_000), (1, 1, VIEW, 3_000),
            (1, 1, CART, 4_000), (2, 1, CART, 4_000),
        )  # fmt: skip
        assert self.keep(events) == [True, True, True, True, False, True]

    def test_buying_in_between_makes_a_new_wish(self) -> None:
        assert all(self.keep(table((1, 1, CART, 0), (1, 1, PURCHASE, 1_000), (1, 1, CART, 2_000))))

    def test_views_and_purchases_may_repeat(self) -> None:
        assert all(
            self.keep(table(*[(1, 1, event, turn) for turn in range(3) for event in (VIEW, PURCHASE)]))
        )


class TestHyperactiveUsers:
    def keep(self, events: pl.DataFrame, keep: str, seed: int = 0) -> pl.Series:
        settings = HyperactiveUserSettings.model_validate({"max_events": 10, "keep": keep})
        return keep_hyperactive_users_down(events, settings, Evidence(1, seed))

    events = table(
        *[(1, item, VIEW, item) for item in range(100)],
        *[(1, item, PURCHASE, 10 * item + 1) for item in range(4)],
        *[(2, item, VIEW, item) for item in range(10)],
    )

    @pytest.mark.parametrize("keep", ["sample", "recent"])
    def test_purchases_stay_and_the_limit_holds(self, keep: str) -> None:
        kept = self.events.filter(self.keep(self.events, keep))
        assert dict(kept["user"].value_counts().iter_rows()) == {1: 10, 2: 10}
        assert kept.filter(pl.col("event") == PURCHASE).height == 4

    def test_recent_keeps_the_newest(self) -> None:
        kept = self.events.filter(self.keep(self.events, "recent"))
        assert kept.filter((pl.col("user") == 1) & (pl.col("event") == VIEW))["ts_ms"].to_list() == [
            *range(94, 100)
        ]

    def test_samples_follow_the_seed_and_spread_over_time(self) -> None:
        first, again, other = (self.keep(self.events, "sample", seed) for seed in (0, 0, 1))
        assert first.equals(again)
        assert not first.equals(other)
        views = table(*[(1, 1, VIEW, ts) for ts in range(1_000)])
        settings = HyperactiveUserSettings(max_events=200)
        kept = views.filter(keep_hyperactive_users_down(views, settings, Evidence(1, 3)))
        assert np.histogram(kept["ts_ms"], bins=4, range=(0, 1_000))[0].min() > 25

    def test_even_purchases_give_way_beyond_the_limit(self) -> None:
        events = table(*[(1, 1, PURCHASE, ts) for ts in range(30)])
        assert self.keep(events, "recent").to_list() == [False] * 20 + [True] * 10


@st.composite
def logs(draw: st.DrawFn) -> pl.DataFrame:
    row = st.tuples(
        st.integers(1, 3), st.integers(1, 4), st.integers(IMPRESSION, PURCHASE), st.integers(0, 5_000)
    )
    return table(*draw(st.lists(row, max_size=60)))


STRICT = CleaningSettings(
    bot_clickers=BotClickerSettings(max_clicks_per_minute=10, max_clicks_per_day=12),
    hyperactive_users=HyperactiveUserSettings(max_events=9),
)


@settings(max_examples=40)
@given(logs())
def test_what_is_removed_and_what_is_left_add_up(events: pl.DataFrame) -> None:
    cleaned = clean(events, STRICT, seed=1)
    assert sum(cleaned.removed.values()) + len(cleaned.rows) == events.height
    assert list(cleaned.removed) == list(RULES)
    assert cleaned.rows.is_sorted()
    assert cleaned.rows.n_unique() == len(cleaned.rows)
    assert clean(events, STRICT, seed=1).rows.equals(cleaned.rows)


@given(logs())
def test_misclicks_agree_with_the_definition_row_by_row(events: pl.DataFrame) -> None:
    rows = events.rows()
    behaviours = [position for position, row in enumerate(rows) if row[2] != IMPRESSION]
    expected = [True] * len(rows)
    for position, following in pairwise(behaviours):
        user, item, event, ts = rows[position]
        next_user, next_item, next_event, next_ts = rows[following]
        alone = sum(rows[other][:2] == (user, item) for other in behaviours) == 1
        if (
            (event, next_event, user) == (VIEW, VIEW, next_user)
            and item != next_item
            and next_ts - ts < 1_000
            and alone
        ):
            expected[position] = False
    assert keep_instant_misclicks_out(events, InstantMisclickSettings(), MILLISECONDS).to_list() == expected


@given(logs())
def test_views_after_purchase_agree_with_the_definition_row_by_row(events: pl.DataFrame) -> None:
    rows = events.rows()
    settings = ViewAfterPurchaseSettings(window_seconds=1)
    expected = []
    for position, (user, item, event, ts) in enumerate(rows):
        bought = [row[3] for row in rows[:position] if row[:3] == (user, item, PURCHASE)]
        expected.append(not (event == VIEW and bought and ts - bought[-1] < 1_000))
    assert keep_views_after_purchase_out(events, settings, MILLISECONDS).to_list() == expected


def test_a_rule_switched_off_does_not_run_and_is_not_reported() -> None:
    events = table((1, 1, VIEW, 0), (1, 2, VIEW, 10))
    assert clean(events, CleaningSettings(), 0).removed["instant_misclicks"] == 1
    off = CleaningSettings(instant_misclicks=InstantMisclickSettings(enabled=False))
    cleaned = clean(events, off, 0)
    assert "instant_misclicks" not in cleaned.removed
    assert len(cleaned.rows) == 2


def test_every_rule_has_settings_and_every_setting_a_rule() -> None:
    assert list(RULES) == list(CleaningSettings().sections())


def test_rules_are_announced_in_order() -> None:
    told: list[str] = []
    announce: Callable[[str], None] = told.append
    clean(table((1, 1, VIEW, 0)), CleaningSettings(), 0, announce)
    assert told == list(RULES)
