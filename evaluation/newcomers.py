"""Newcomers: shoppers of the log as they would be known if they had done little yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from evaluation.queries import TestShopper, profiles_of, shopper_at
from models.interaction_log import InteractionLog
from recall.triggers import TriggerSettings
from router.ranking.logistic.table import LogisticRankerSettings

_UNKNOWN = 1 / 3
"""Part of the newcomers of whom nothing is known."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """One shopper twice: known by the newest behaviours alone, or by none; and by all of them."""

    known: TestShopper
    whole: TestShopper


def within_first_visits(
    shoppers: Sequence[TestShopper],
    log: InteractionLog,
    users: pl.DataFrame,
    triggers: TriggerSettings,
    longest: int,
    rng: np.random.Generator,
) -> list[TestShopper]:
    """The shoppers, two thirds of those without a past asked in the midst of what they do first.

    Whoever comes once, as nearly all shoppers of some shops, is known by this visit alone: what such a
    shopper takes after a few behaviours would be learned from nobody who is asked before the first. They are
    asked at one of their later behaviours, what comes from then on being their targets: as often after 1 as
    after 2 to 3, or 32 to 63 of them. The others, and who does all at one moment, stay as they are.

    Args:
        shoppers: at a moment; those with behaviours before it stay as they are.
        log: holds all that they did.
        users: of the data set.
        triggers: how a history causes recall.
        longest: behaviours after which one is asked at most; 0: all stay as they are.
        rng: draws who, and after how much.
    """
    behaviours = log.behaviours
    profiles = profiles_of(users.filter(pl.col("user").is_in([each.user for each in shoppers])))
    draws = rng.random((len(shoppers), 2))
    asked = []
    for shopper, (who, how_much) in zip(shoppers, draws.tolist(), strict=True):
        times = behaviours.ts[behaviours.offsets[shopper.user] : behaviours.offsets[shopper.user + 1]]
        most = min(longest + 1, len(times))
        if len(shopper.query.history_items) or who < _UNKNOWN or most < 2:
            asked.append(shopper)
            continue
        moment = int(times[int(most**how_much)])
        within = shopper_at(log, shopper.user, profiles, moment, triggers)
        asked.append(within if len(within.query.history_items) else shopper)
    return asked


def newcomers_of(
    shoppers: Sequence[TestShopper],
    log: InteractionLog,
    users: pl.DataFrame,
    triggers: TriggerSettings,
    settings: LogisticRankerSettings,
    rng: np.random.Generator,
) -> list[Newcomer]:
    """`settings.newcomers` of the shoppers, drawn, as newcomers; none without further behaviours.

    A third of them is known by nothing, the others by 1 to `settings.newcomer_longest` behaviours: as often
    by 1 as by 2 to 3, or by 32 to 63.

    Args:
        shoppers: in whole, each at the moment of its query.
        log: holds all that they did.
        users: of the data set.
        triggers: how a history causes recall.
        settings: of the fit.
        rng: draws who, and how much is known.
    """
    count = round(settings.newcomers * len(shoppers))
    chosen = np.sort(rng.choice(len(shoppers), count, replace=False)) if count else np.empty(0, np.int64)
    newest = _newest(count, settings.newcomer_longest, rng)
    whole = [shoppers[place] for place in chosen.tolist()]
    profiles = profiles_of(users.filter(pl.col("user").is_in([each.user for each in whole])))
    known = [
        shopper_at(log, each.user, profiles, each.query.now, triggers, few)
        for each, few in zip(whole, newest, strict=True)
    ]
    return [
        Newcomer(few, all_of)
        for few, all_of in zip(known, whole, strict=True)
        if len(few.query.history_items) < len(all_of.query.history_items)
    ]


def _newest(count: int, longest: int, rng: np.random.Generator) -> list[int]:
    """How many behaviours of each newcomer are known."""
    known = np.floor(np.exp2(rng.random(count) * np.log2(longest + 1)))
    known[(rng.random(count) < _UNKNOWN) | (longest == 0)] = 0
    return [int(each) for each in known]
