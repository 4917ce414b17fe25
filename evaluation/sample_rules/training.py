"""What the sample rules make of the takes that models are trained on, those before the validation range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from evaluation.sample_rules.registry import SAMPLE_RULES
from evaluation.sample_rules.rule import GeneralRuleSettings
from evaluation.sample_rules.window import sample_log
from snapshot.dataset import Dataset


class Counted(NamedTuple):
    """Takes of a model: all, those that a rule gives another weight than 1, and those of weight 0."""

    takes: int
    weighed: int
    left_out: int


def training_weights(dataset: Dataset, rules: Mapping[str, BaseModel]) -> NDArray[np.float32] | None:
    """The product of what the rules say of each event before `cuts.valid_from`; 1 of later ones.

    Args:
        dataset: the log.
        rules: name → settings, whether they are on or not.

    Returns:
        float32[e], in the order of the data set's events; None without rules.

    Raises:
        EvaluationError: a file that a rule names cannot be read.
    """
    if not rules:
        return None
    until = dataset.manifest.cuts.valid_from
    log = sample_log(dataset, 0, until)
    weights = np.ones(log.window.height)
    for name, settings in rules.items():
        weights *= SAMPLE_RULES[name].weigh(log, settings).weights.to_numpy()
    learned = dataset.events().select(pl.col("ts") < until).collect().to_series().to_numpy()
    result = np.ones(learned.size, np.float32)
    result[learned] = weights
    return result


def counted_takes(
    dataset: Dataset, rules: Mapping[str, BaseModel], events_of: Mapping[str, Iterable[int]]
) -> dict[str, dict[str, Counted]]:
    """Rule → model → its takes before `cuts.valid_from`, as the rule alone weighs them.

    Args:
        dataset: the log.
        rules: name → settings; those that act on no model are left out.
        events_of: model → codes of the events that are its takes.
    """
    until = dataset.manifest.cuts.valid_from
    events = dataset.events().select("event", learned=pl.col("ts") < until).collect()
    code, learned = events["event"].to_numpy(), events["learned"].to_numpy()
    found: dict[str, dict[str, Counted]] = {}
    for name, settings in rules.items():
        if not isinstance(settings, GeneralRuleSettings):
            continue
        weights = training_weights(dataset, {name: settings})
        assert weights is not None
        found[name] = {}
        for model, codes in events_of.items():
            taken = weights[learned & np.isin(code, list(codes))]
            found[name][model] = Counted(
                taken.size, int(np.count_nonzero(taken != 1)), int(np.count_nonzero(taken == 0))
            )
    return found
