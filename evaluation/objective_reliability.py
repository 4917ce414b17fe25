"""Whether the objectives of a scene's value are the probabilities of clicks and purchases that they say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evaluation.objective_fit import Happened
from evaluation.queries import TestShopper
from evaluation.reliability import ScoredCandidates, reliability_rows
from evaluation.served_scene import UNHURRIED_MS, ServedScene
from pipeline.candidates import PROBABILITY
from pipeline.plan import Pipeline
from pipeline.runner import rank
from recall.query import Query
from router.ranking.objectives.fitted import CLICK, PURCHASE_GIVEN_CLICK, SceneObjectives
from router.ranking.value_merge import ValueSettings

Rows = dict[str, dict[str, float]]


def value_of(scene: ServedScene) -> ValueSettings | None:
    """What the scene weighs; None where it has another merge."""
    merge = scene.settings.ranking.merge
    settings = None if merge is None or not scene.settings.ranking.enabled else merge.settings
    return settings if isinstance(settings, ValueSettings) else None


def objective_rows(
    scene: ServedScene,
    value: ValueSettings,
    pipeline: Pipeline[Query],
    fitted: SceneObjectives,
    shoppers: Sequence[TestShopper],
    happened: Happened,
    seed: int,
) -> Rows:
    """Rows as of `reliability_rows`, "<scene>, click, …" and "<scene>, purchase_given_click, …".

    A click is one of what was shown, where it was fitted so and the test range has impressions, else of all
    candidates; a purchase is one of what was taken. An objective that is switched off, and one of which
    nothing is known in the test range, has no rows.

    Args:
        scene: with the merge `value`.
        value: its settings.
        pipeline: the scene's.
        fitted: its objectives.
        shoppers: at the cut; without impressions, those who take something in the window.
        happened: in the window behind it.
        seed: of the bootstrap.
    """
    column = f"{value.objectives}.{PURCHASE_GIVEN_CLICK}"
    clicks, purchases = asyncio.run(_scored(scene.name, pipeline, column, fitted, shoppers, happened))
    rows: Rows = {}
    for name, off, scored in (
        (CLICK, fitted.click.off, clicks),
        (PURCHASE_GIVEN_CLICK, fitted.purchase_given_click.off, purchases),
    ):
        if not off and scored.score.size:
            rows |= reliability_rows(f"{scene.name}, {name}", scored, seed)
    return rows


async def _scored(
    scene: str,
    pipeline: Pipeline[Query],
    column: str,
    fitted: SceneObjectives,
    shoppers: Sequence[TestShopper],
    happened: Happened,
) -> tuple[ScoredCandidates, ScoredCandidates]:
    per_impression = fitted.click.per == "impression" and bool(happened.shown)
    nothing = np.empty(0, np.int32)
    clicks: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
    purchases: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
    taken, bought = [], []
    for shopper in shoppers:
        query = replace(shopper.query, scene=scene)
        deadline = time.monotonic() + UNHURRIED_MS / 1_000
        candidates = (await rank(pipeline, query, 1, deadline, time.monotonic)).candidates
        taken.append(happened.taken.get(shopper.user, nothing))
        bought.append(happened.bought.get(shopper.user, nothing))
        chance = candidates.columns.get(PROBABILITY, candidates.score)
        seen = np.ones(len(candidates), np.bool_)
        if per_impression:
            seen = np.isin(candidates.items, happened.shown.get(shopper.user, nothing))
        clicks.append((candidates.items[seen], chance[seen]))
        after = candidates.columns.get(column, np.empty(0, np.float32))
        clicked = np.isin(candidates.items, taken[-1])
        purchases.append((candidates.items[clicked], after[clicked]))
    return ScoredCandidates.of(clicks, taken), ScoredCandidates.of(purchases, bought)
