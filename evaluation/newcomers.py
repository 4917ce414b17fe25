"""Newcomers: shoppers of the log as they would be known if they had done little yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from evaluation.queries import TestShopper, shoppers_at
from models.interaction_log import InteractionLog
from recall.triggers import TriggerSettings
from router.ranking.logistic.table import LogisticRankerSettings


@dataclass(frozen=True, slots=True)
class Newcomer:
    """One shopper twice: known by the newest behaviours alone, or by none; and by all of them."""

    known: TestShopper
    whole: TestShopper


def newcomers_of(
    shoppers: Sequence[TestShopper],
    log: InteractionLog,
    users: pl.DataFrame,
    now: int,
    triggers: TriggerSettings,
    settings: LogisticRankerSettings,
    rng: np.random.Generator,
) -> list[Newcomer]:
    """`settings.newcomers` of the shoppers, drawn, as newcomers; none without further behaviours.

    A third of them is known by nothing, the others by 1 to `settings.newcomer_longest` behaviours: as often
    by 1 as by 2 to 3, or by 32 to 63.

    Args:
        shoppers: at `now`, in whole.
        log: holds all that they did.
        users: of the data set.
        now: unix seconds.
        triggers: how a history causes recall.
        settings: of the fit.
        rng: draws who, and how much is known.
    """
    count = round(settings.newcomers * len(shoppers))
    chosen = np.sort(rng.choice(len(shoppers), count, replace=False)) if count else np.empty(0, np.int64)
    newest = _newest(count, settings.newcomer_longest, rng)
    whole = [shoppers[place] for place in chosen.tolist()]
    indexes = np.array([each.user for each in whole], np.int64)
    known = shoppers_at(log, indexes, users, now, triggers, newest)
    return [
        Newcomer(few, all_of)
        for few, all_of in zip(known, whole, strict=True)
        if len(few.query.history_items) < len(all_of.query.history_items)
    ]


def _newest(count: int, longest: int, rng: np.random.Generator) -> list[int]:
    """How many behaviours of each newcomer are known."""
    known = np.floor(np.exp2(rng.random(count) * np.log2(longest + 1)))
    known[(rng.random(count) < 1 / 3) | (longest == 0)] = 0
    return [int(each) for each in known]
