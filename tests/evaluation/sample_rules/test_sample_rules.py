"""Each sample rule on a log that has what it looks for, and what the rules make of a window together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import BaseModel, ValidationError

from evaluation.errors import EvaluationError
from evaluation.ranker_weights import RankedSample, weights_of
from evaluation.sample_effects import sample_effects
from evaluation.sample_rules.registry import SAMPLE_RULES, SampleRulesSettings
from evaluation.sample_rules.rule import SampleLog, Weighed
from evaluation.sample_rules.window import take_weights
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.table import LogisticRankerSettings
from snapshot import Catalogue
from snapshot.event_codes import CART, IMPRESSION, PURCHASE, VIEW
from tests.recall.small_shop import make_catalogue

DAY = 86_400
Row = tuple[int, int, int, int]
"""(user, item, event, ts), or of a cart (user, item, ts, pieces)"""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("shop"), (1,) * 8)


def log(catalogue: Catalogue, rows: list[Row], past: Sequence[Row] = (), **columns: list[Any]) -> SampleLog:
    schema = {"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64}
    window, before = (pl.DataFrame(list(each), schema=schema, orient="row") for each in (rows, past))
    further = [pl.Series(name, values) for name, values in columns.items()]
    before = before.with_columns(pl.lit(None, series.dtype).alias(series.name) for series in further)
    users = pl.DataFrame({"user": [1, 2, 3], "user_id": ["ann", "bob", "cid"]})
    return SampleLog(before, window.with_columns(further), users, catalogue)


def with_changes(of: SampleLog, *changes: Row) -> SampleLog:
    """The log with these changes of carts: user, item, ts, pieces."""
    schema = {"user": pl.Int32, "item": pl.Int32, "ts": pl.Int64, "pieces": pl.Int32}
    return replace(of, cart_changes=pl.DataFrame(list(changes), schema=schema, orient="row"))


def told(name: str, of: SampleLog, **settings: Any) -> Weighed:
    rule = SAMPLE_RULES[name]
    return rule.weigh(of, rule.settings.model_validate(settings))


def test_every_rule_is_off_by_default_and_says_so_where_it_has_nothing_to_go_by(catalogue: Catalogue) -> None:
    plain = log(catalogue, [(1, 1, PURCHASE, 5), (1, 2, PURCHASE, 6)])
    assert SampleRulesSettings().enabled() == ()
    for name in SAMPLE_RULES:
        found = told(name, plain)
        assert found.weights.to_list() == [1.0, 1.0], name
        assert found.note or name in ("truncated_counts", "fake_orders")


def test_grades_follow_the_event_and_keep_the_sum_of_takes(catalogue: Catalogue) -> None:
    rows = [(1, 1, VIEW, 1), (1, 2, CART, 2), (1, 3, PURCHASE, 3), (1, 4, IMPRESSION, 4)]
    weights = told("graded_labels", log(catalogue, rows), cart=2.0, purchase=6.0).weights
    assert weights.to_list() == pytest.approx([1 / 3, 2 / 3, 2.0, 0.0])


def test_named_periods_are_left_out_and_need_an_offset(catalogue: Catalogue) -> None:
    of = log(catalogue, [(1, 1, PURCHASE, 3_599), (1, 2, PURCHASE, 3_600), (1, 3, PURCHASE, 7_200)])
    period = {"name": "midnight sale", "begin": "1970-01-01T02:00:00+01:00", "end": "1970-01-01T02:00:00Z"}
    assert told("odd_periods", of, periods=[period]).weights.to_list() == [1, 0, 1]
    for wrong in ({"begin": "1970-01-01T01:00:00"}, {"end": "1970-01-01T00:00:00Z"}):
        with pytest.raises(ValidationError, match="midnight sale"):
            told("odd_periods", of, periods=[period | wrong])


def test_lists_allow_and_deny(catalogue: Catalogue, tmp_path: Path) -> None:
    of = log(catalogue, [(1, 1, PURCHASE, 1), (2, 2, PURCHASE, 2), (3, 3, PURCHASE, 3)])
    (tmp_path / "staff").write_text("bob\n\nnobody\n")
    (tmp_path / "items").write_text("\n".join(catalogue.item_ids(np.array([1, 2], np.int32))))
    assert told("listed", of, deny_users=tmp_path / "staff").weights.to_list() == [1, 0, 1]
    assert told("listed", of, allow_users=tmp_path / "staff").weights.to_list() == [0, 1, 0]
    assert told("listed", of, allow_items=tmp_path / "items").weights.to_list() == [1, 1, 0]
    assert told("listed", of, deny_items=tmp_path / "items").weights.to_list() == [0, 0, 1]
    with pytest.raises(EvaluationError, match="missing"):
        told("listed", of, deny_users=tmp_path / "missing")


def test_who_takes_far_more_counts_as_the_quantile(catalogue: Catalogue) -> None:
    rows = [(1, item, PURCHASE, item) for item in range(1, 9)] + [(2, 1, PURCHASE, 1), (3, 1, PURCHASE, 1)]
    weights = told("truncated_counts", log(catalogue, rows), quantile=0.5).weights
    assert weights.to_list() == [1 / 8] * 8 + [1, 1]


def test_a_burst_of_accounts_that_know_one_item_is_left_out(catalogue: Catalogue) -> None:
    burst = [(user, 7, PURCHASE, DAY + user) for user in range(10, 16)]
    regular = [(1, 7, PURCHASE, DAY + 50), (2, 7, PURCHASE, 9 * DAY)]
    of = log(catalogue, burst + regular, past=[(1, 3, VIEW, 1)])
    assert told("fake_orders", of).weights.to_list() == [0] * 6 + [1, 1]
    assert told("fake_orders", of, accounts=8).weights.to_list() == [1] * 8
    assert told("fake_orders", of, share=0.9).weights.to_list() == [1] * 8


def test_only_who_took_something_in_the_scene_is_aware_of_it(catalogue: Catalogue) -> None:
    rows = [(1, 1, VIEW, 1), (1, 2, PURCHASE, 2), (2, 1, IMPRESSION, 3), (2, 2, PURCHASE, 4)]
    of = log(catalogue, rows, scene=["home", "cart", "home", "cart"])
    assert told("aware_shoppers", of).weights.to_list() == [1, 1, 0, 0]
    assert told("aware_shoppers", of, takes=2).weights.to_list() == [0, 0, 0, 0]


def test_what_is_taken_far_down_counts_more_and_no_more_than_the_most(catalogue: Catalogue) -> None:
    """Everybody sees three positions and takes the first; one takes the third too."""
    rows, positions = [], []
    for user in range(1, 101):
        for position in range(3):
            rows.append((user, position + 1, IMPRESSION, 10 * user))
            positions.append(position)
        rows.append((user, 1, VIEW, 10 * user + 1))
        positions.append(None)
    rows += [(1, 3, VIEW, 12), (2, 3, VIEW, 10 * DAY), (3, 5, VIEW, 33)]
    positions += [None] * 3
    of = log(catalogue, rows, position=positions)
    weights = told("position_bias", of, most=3.0).weights.to_list()
    assert weights[3] == 1, "the first position"
    assert weights[-3:] == [3, 1, 1], "the third position; long after; never shown"


def test_what_was_taken_out_of_the_cart_counts_less_up_to_the_removal(catalogue: Catalogue) -> None:
    rows = [
        (1, 1, VIEW, 10),  # long before the removal
        (1, 1, CART, 4_000),
        (1, 1, VIEW, 6_000),  # after it
        (1, 2, CART, 4_000),  # another item
        (2, 1, CART, 4_000),  # another shopper
        (1, 1, IMPRESSION, 4_500),
    ]
    of = with_changes(log(catalogue, rows), (1, 1, 4_000, 1), (1, 1, 5_000, 0))
    assert told("cart_removals", of, hours=1.0).weights.to_list() == [1, 0, 1, 1, 1, 1]
    assert told("cart_removals", of, hours=2.0, weight=0.5).weights.to_list() == [0.5, 0.5, 1, 1, 1, 1]
    assert told("cart_removals", with_changes(of, (1, 1, 4_000, 1))).note


def test_a_removal_of_some_pieces_takes_as_much_of_the_weight(catalogue: Catalogue) -> None:
    rows = [(1, 1, VIEW, 10), (1, 1, CART, 20), (1, 2, CART, 20)]
    of = with_changes(log(catalogue, rows), (1, 1, 20, 3), (1, 2, 20, 3), (1, 1, 50, -1), (1, 2, 60, -9))
    assert told("cart_removals", of).weights.to_list() == pytest.approx([2 / 3, 2 / 3, 0])
    assert told("cart_removals", of, weight=0.4).weights.to_list() == pytest.approx([0.8, 0.8, 0.4])


def test_a_removal_says_nothing_of_what_led_to_a_purchase_before_it(catalogue: Catalogue) -> None:
    rows = [
        (1, 1, VIEW, 10),
        (1, 1, CART, 20),
        (1, 1, PURCHASE, 30),
        (1, 1, VIEW, 40),
        (1, 1, CART, 50),
    ]
    of = with_changes(log(catalogue, rows), (1, 1, 20, 1), (1, 1, 50, 1), (1, 1, 60, 0))
    assert told("cart_removals", of).weights.to_list() == [1, 1, 1, 0, 0]
    # The purchase may be of before the window.
    later = log(catalogue, rows[3:], past=rows[:3])
    later = with_changes(later, (1, 1, 20, 9), (1, 1, 50, 2), (1, 1, 60, -1))
    assert told("cart_removals", later).weights.to_list() == [0.5, 0.5]


def sample(seed: int) -> RankedSample:
    """60 shoppers of 40 candidates, taken by one input."""
    random, names = np.random.default_rng(seed), input_names(("hot",))
    inputs = random.standard_normal((2_400, len(names))).astype(np.float32)
    taken = random.random(2_400) < 1 / (1 + np.exp(2 - 2 * inputs[:, names.index("item.bought")]))
    users = np.arange(1, 61, dtype=np.int32)
    items = np.tile(np.arange(1, 41, dtype=np.int32), 60)
    shopper = np.repeat(np.arange(60, dtype=np.int32), 40)
    return RankedSample(inputs, np.zeros(2_400, np.float32), taken, 60, shopper, items, users)


def takes_of(catalogue: Catalogue, of: RankedSample) -> SampleLog:
    rows = [
        (int(of.users[of.shopper[row]]), int(of.items[row]), PURCHASE, 100)
        for row in np.flatnonzero(of.taken)
    ]
    return log(catalogue, rows)


def test_weights_of_a_window_are_those_of_its_candidates(catalogue: Catalogue) -> None:
    drawn = sample(1)
    of = takes_of(catalogue, drawn)
    assert (take_weights(of, {}).of_sample(drawn) == 1).all()
    capped: dict[str, BaseModel] = {
        "truncated_counts": SAMPLE_RULES["truncated_counts"].settings.model_validate({"quantile": 0.5})
    }
    weights = take_weights(of, capped).of_sample(drawn)
    assert (weights[~drawn.taken] == 1).all()
    totals = np.bincount(drawn.shopper, weights * drawn.taken)
    assert totals.max() == pytest.approx(
        np.quantile(np.bincount(drawn.shopper, drawn.taken), 0.5, method="higher")
    )


def test_a_shopper_of_whom_nothing_counts_is_no_sample_at_all(catalogue: Catalogue, tmp_path: Path) -> None:
    drawn = sample(2)
    (tmp_path / "staff").write_text("ann\nbob")
    denied: dict[str, BaseModel] = {
        "listed": SAMPLE_RULES["listed"].settings.model_validate({"deny_users": tmp_path / "staff"})
    }
    weights = take_weights(takes_of(catalogue, drawn), denied).of_sample(drawn)
    assert (weights.reshape(60, 40)[:2] == 0).all()
    assert (weights.reshape(60, 40)[2:] == 1).all()
    settings = LogisticRankerSettings()
    without = drawn.of(drawn.shopper > 1)
    learned = weights_of(replace(drawn, weight=weights), ("hot",), settings)
    assert learned.candidates == len(without.taken)
    np.testing.assert_allclose(
        learned.alone, weights_of(without, ("hot",), settings).alone, rtol=1e-4, atol=1e-6
    )


def test_effects_count_and_compare(catalogue: Catalogue) -> None:
    drawn = sample(3)
    of = takes_of(catalogue, drawn)
    sections = SampleRulesSettings.model_validate({"truncated_counts": {"quantile": 0.3}}).sections()
    rows, notes = sample_effects(of, drawn, ("hot",), LogisticRankerSettings(), sections, seed=1)
    assert list(rows) == ["no rule", *SAMPLE_RULES]
    assert rows["no rule"]["ndcg@10"] > 0.5
    capped = rows["truncated_counts"]
    assert 0 < capped["weighed"] < capped["takes"] == drawn.taken.sum()
    assert capped["left_out"] == 0
    assert capped["gain"] == pytest.approx(capped["ndcg@10"] - rows["no rule"]["ndcg@10"])
    assert capped["low"] <= capped["gain"] <= capped["high"]
    assert np.isnan(rows["odd_periods"]["gain"])
    assert set(notes) == set(SAMPLE_RULES) - {"truncated_counts", "fake_orders"}
