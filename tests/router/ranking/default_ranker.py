"""The table of the scorer `logistic` where nothing was fitted: its scores keep the order of recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recall.item_facts import FACTS, ItemFacts
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.table import NAME, LogisticTable
from router.ranking.logistic.weights import default_weights


def default_ranker(items: int, channels: Sequence[str]) -> dict[str, LogisticTable]:
    """The table by its name, of a catalogue of so many items, of which it knows nothing."""
    facts = ItemFacts(np.zeros((items + 1, len(FACTS)), np.float32))
    return {NAME: LogisticTable.of(facts, default_weights(tuple(channels), input_names(channels)))}
