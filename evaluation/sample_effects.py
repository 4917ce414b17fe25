"""What each sample rule would change, and what that is worth on the validation range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from evaluation.head_ndcg import HEAD, head_ndcg
from evaluation.ranker_weights import RankedSample, weights_of
from evaluation.sample_rules.registry import SAMPLE_RULES
from evaluation.sample_rules.rule import SampleLog
from evaluation.sample_rules.window import take_weights
from foundation.statistics.bootstrap import grouped_interval
from router.ranking.logistic.last_layer import LastLayer
from router.ranking.logistic.table import LogisticRankerSettings
from snapshot.event_codes import IMPRESSION

COLUMNS = ("takes", "weighed", "left_out", f"ndcg@{HEAD}", "gain", "low", "high")


def sample_effects(
    log: SampleLog,
    sample: RankedSample,
    channels: tuple[str, ...],
    settings: LogisticRankerSettings,
    rules: Mapping[str, BaseModel],
    seed: int,
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """A row without rules and one of each rule alone, and why a rule could say nothing.

    The last layer is fitted on the candidates of half of the shoppers, as the rule weighs them, and orders
    those of the other half, and the other way round; what counts as a hit is the same in every row.

    Args:
        log: with the window that the sample is from.
        sample: every candidate, none weighed.
        channels: whose ranks are inputs.
        settings: of the fit.
        rules: name → settings; whether they are on does not matter.
        seed: of the bootstrap.

    Returns:
        takes: events of the window but impressions; weighed: those that a rule gives another weight than 1;
        left_out: those of weight 0; ndcg@10 of all candidates by the fitted order; gain over the row without
        rules, of the same shoppers, and its 95 % bootstrap interval. A rule that weighs nothing has only the
        first three. Then name → note.
    """
    plain = _ndcg(sample, channels, settings)
    takes = float((log.window["event"] != IMPRESSION).sum())
    nothing = dict.fromkeys(COLUMNS, float("nan"))
    rows = {
        "no rule": nothing
        | {"takes": takes, "weighed": 0, "left_out": 0, f"ndcg@{HEAD}": float(plain.mean())}
    }
    notes = {}
    for name, rule in rules.items():
        ruled = SAMPLE_RULES[name].weigh(log, rule)
        weights = ruled.weights.filter(log.window["event"] != IMPRESSION)
        counts = {
            "takes": takes,
            "weighed": float((weights != 1).sum()),
            "left_out": float((weights == 0).sum()),
        }
        rows[name] = nothing | counts
        if ruled.note:
            notes[name] = ruled.note
        if not counts["weighed"]:
            continue
        weighed = replace(sample, weight=take_weights(log, {name: rule}).of_sample(sample))
        found = _ndcg(weighed, channels, settings)
        low, high = grouped_interval(found - plain, np.arange(len(plain)), np.random.default_rng(seed))
        rows[name] |= {
            f"ndcg@{HEAD}": float(found.mean()),
            "gain": float((found - plain).mean()),
            "low": low,
            "high": high,
        }
    return rows, notes


def _ndcg(
    sample: RankedSample, channels: tuple[str, ...], settings: LogisticRankerSettings
) -> NDArray[np.float64]:
    """float64[s]: of each shopper with a hit among the candidates, by weights fitted on the other half.

    By the regression alone, which is fitted in a moment.
    """
    odds = np.empty(len(sample.taken), np.float32)
    alone = {"cross_fitted_below": 0, "networks": settings.networks.model_copy(update={"each_third": 0})}
    uncrossed = settings.model_copy(update=alone)
    for half in (0, 1):
        here = sample.shopper % 2 == half
        learned = weights_of(sample.of(~here), channels, uncrossed)
        both, model_weight = LastLayer.of(learned).log_odds(sample.inputs[here])
        odds[here] = both[:, 1] + model_weight * np.nan_to_num(sample.model[here])
    return head_ndcg(odds, sample.taken, sample.shopper)
