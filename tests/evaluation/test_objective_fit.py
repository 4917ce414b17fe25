"""Fitting objectives from samples whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.objective_fit import ObjectiveSample, objectives_of
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.weights import scaled
from router.ranking.objectives.table import ObjectivesTableSettings

NAMES = ("again", "hot")
INPUTS = input_names(NAMES)
SETTINGS = ObjectivesTableSettings(prior_strength=1.0)


def chance(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))


def sample(count: int, seed: int, *, shown: float = 0.0, bought: float | None = None) -> ObjectiveSample:
    """Takes by half the own log-odds less 1, of what is shown by less 2; purchases by one input."""
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((count, len(INPUTS))).astype(np.float32)
    own = random.normal(-1, 2, count).astype(np.float32)
    own[::50] = np.nan
    seen = random.random(count) < shown
    taken = random.random(count) < chance(0.5 * np.nan_to_num(own) - 1 - seen)
    after = chance(1.5 * inputs[:, INPUTS.index("item.bought")] - 0.5)
    after = after if bought is None else np.full(count, bought)
    bought_too = taken & (random.random(count) < after)
    return ObjectiveSample(np.arange(count) // 50, own, inputs, seen, taken, bought_too)


def test_the_truth_of_a_sample_is_found() -> None:
    drawn = sample(25_000, 1)
    fitted = objectives_of(drawn, NAMES, SETTINGS)
    assert (fitted.click.slope, fitted.click.offset) == (
        pytest.approx(0.5, abs=0.05),
        pytest.approx(-1, abs=0.1),
    )
    assert (fitted.click.per, fitted.click.rows) == ("take", 25_000 - 500)
    purchase = fitted.purchase_given_click
    mean, scale = (np.array(each, np.float32) for each in (purchase.mean, purchase.scale))
    predicted = chance(scaled(drawn.inputs, mean, scale) @ np.array(purchase.weights) + purchase.bias)
    truth = chance(1.5 * drawn.inputs[:, INPUTS.index("item.bought")] - 0.5)
    assert np.abs(predicted - truth).mean() < 0.04
    assert purchase.off == fitted.click.off == ""


def test_where_there_are_impressions_a_click_is_one_of_them() -> None:
    click = objectives_of(sample(40_000, 2, shown=0.5), NAMES, SETTINGS).click
    assert click.per == "impression"
    assert (click.slope, click.offset) == (pytest.approx(0.5, abs=0.04), pytest.approx(-2, abs=0.1))


def test_what_cannot_be_fitted_is_off_and_says_why() -> None:
    only_bought = objectives_of(sample(2_000, 3, bought=1.0), NAMES, SETTINGS).purchase_given_click
    assert (only_bought.rate, only_bought.off) == (1.0, "every take is a purchase")
    never_bought = objectives_of(sample(2_000, 4, bought=0.0), NAMES, SETTINGS).purchase_given_click
    assert never_bought.rate == 0
    assert "0 of" in never_bought.off
    empty = objectives_of(sample(0, 5), NAMES, SETTINGS)
    assert (empty.click.off != "", empty.purchase_given_click.rate) == (True, 0.0)
    assert (empty.click.slope, empty.click.offset) == (1, 0)


def test_few_purchases_and_many_inputs_promise_no_more_than_they_keep() -> None:
    few, later = sample(900, 6), sample(20_000, 7)
    purchase = objectives_of(few, NAMES, SETTINGS).purchase_given_click
    mean, scale = (np.array(each, np.float32) for each in (purchase.mean, purchase.scale))
    odds = scaled(later.inputs[later.taken], mean, scale) @ np.array(purchase.weights) + purchase.bias
    sure = np.argsort(-odds)[: odds.size // 10]
    promised, kept = chance(odds[sure]).mean(), later.bought[later.taken][sure].mean()
    assert promised == pytest.approx(kept, abs=0.12)


def test_what_no_input_tells_of_other_shoppers_is_off_or_near_its_rate() -> None:
    purchase = objectives_of(sample(600, 8, bought=0.3), NAMES, SETTINGS).purchase_given_click
    assert purchase.off or np.abs(purchase.weights).sum() < 1.5
