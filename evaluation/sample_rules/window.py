"""What the sample rules make of a window of the log together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from evaluation.ranker_weights import RankedSample
from evaluation.sample_rules.registry import SAMPLE_RULES
from evaluation.sample_rules.rule import SampleLog
from snapshot.dataset import Dataset
from snapshot.event_codes import IMPRESSION

REQUIRED = ("user", "item", "event", "ts")
OPTIONAL = ("scene", "position")


@dataclass(frozen=True)
class TakeWeights:
    """What takes count as samples.

    of     shopper → (items int32[m], rising; weights float32[m]) of what they took in the window
    """

    of: Mapping[int, tuple[NDArray[np.int32], NDArray[np.float32]]]

    def of_sample(self, sample: RankedSample) -> NDArray[np.float32]:
        """float32[n], what each candidate of the sample counts."""
        ends = np.searchsorted(sample.shopper, np.arange(1, len(sample.users)))
        parts = np.split(sample.items, ends) if len(sample.users) else []
        found = [self.weights(int(user), items) for user, items in zip(sample.users, parts, strict=True)]
        return np.concatenate([np.empty(0, np.float32), *found])

    def weights(self, shopper: int, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[n]: of taken items their weight, of others 1.

        0 for all where nothing that the shopper took counts.
        """
        result = np.ones(items.size, np.float32)
        if shopper not in self.of:
            return result
        taken, weights = self.of[shopper]
        if not weights.any():
            return np.zeros(items.size, np.float32)
        at = np.minimum(np.searchsorted(taken, items), taken.size - 1)
        found = taken[at] == items
        result[found] = weights[at[found]]
        return result


def sample_log(dataset: Dataset, begin: int, end: float) -> SampleLog:
    """The log of a data set, with the window [begin, end), unix seconds."""
    events = dataset.events()
    present = events.collect_schema().names()
    log = events.select(*REQUIRED, *(name for name in OPTIONAL if name in present)).filter(pl.col("ts") < end)
    whole = log.collect()
    return SampleLog(
        whole.filter(pl.col("ts") < begin),
        whole.filter(pl.col("ts") >= begin),
        dataset.users(),
        dataset.catalogue,
        dataset.cart_changes().filter(pl.col("ts") < end),
    )


def take_weights(log: SampleLog, rules: Mapping[str, BaseModel]) -> TakeWeights:
    """The product of what the rules say of each event; of a shopper's item, the largest of its takes.

    rules: name → settings.
    """
    weights = pl.repeat(1.0, log.window.height, dtype=pl.Float64, eager=True)
    for name, settings in rules.items():
        weights = weights * SAMPLE_RULES[name].weigh(log, settings).weights
    pairs = (
        log.window.select("user", "item", "event", weights.alias("weight"))
        .filter(pl.col("event") != IMPRESSION)
        .group_by("user", "item")
        .agg(pl.col("weight").max())
        .sort("user", "item")
        .group_by("user", maintain_order=True)
        .agg("item", "weight")
    )
    return TakeWeights(
        {
            int(user): (np.array(items, np.int32), np.array(each, np.float32))
            for user, items, each in pairs.iter_rows()
        }
    )
