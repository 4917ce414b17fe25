"""The candidates that a scene finds for shoppers, with what the last layer learns from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.loaded_models import LoadedModel
from evaluation.newcomers import Newcomer
from evaluation.queries import TestShopper, distinct_askers
from evaluation.ranker_weights import RankedSample
from evaluation.served_scene import UNHURRIED_MS
from pipeline.plan import Pipeline
from pipeline.runner import rank
from recall.again import past_behaviours
from recall.channel import BuildSource
from recall.item_facts import item_facts
from recall.query import Query
from router.ranking.log_odds_merge import log_odds_of
from router.ranking.logistic.inputs import ranker_inputs
from router.ranking.logistic.table import LogisticRankerSettings


@dataclass(frozen=True, slots=True)
class CandidatePage:
    """The n candidates of a shopper: items int32[n]; inputs, taken and before as in `RankedSample`."""

    user: int
    query: Query
    items: NDArray[np.int32]
    inputs: NDArray[np.float32]
    taken: NDArray[np.bool_]
    before: NDArray[np.bool_]
    newcomer: bool


async def candidate_pages(
    shoppers: Sequence[TestShopper],
    newcomers: Sequence[Newcomer],
    pipeline: Pipeline[Query],
    channels: tuple[str, ...],
    source: BuildSource,
    settings: LogisticRankerSettings,
    progress: Callable[[float], None],
) -> list[CandidatePage]:
    """Of the shoppers for whom the pipeline finds candidates, then of the newcomers."""
    facts = item_facts(source, settings.rate_prior)
    asked = [*shoppers, *(each.known for each in newcomers)]
    whole = [*shoppers, *(each.whole for each in newcomers)]
    rows, own = distinct_askers([shopper.query for shopper in asked])
    found = []
    for done, row in enumerate(rows):
        if done % 100 == 0:
            progress(0.5 + 0.2 * done / len(rows))
        query, deadline = asked[row].query, time.monotonic() + UNHURRIED_MS / 1_000
        candidates = (await rank(pipeline, query, 1, deadline, time.monotonic)).candidates
        inputs = ranker_inputs(query, candidates, facts, source.catalogue, channels)
        found.append((candidates.items, inputs))
    pages = []
    for at, (shopper, behind) in enumerate(zip(asked, whole, strict=True)):
        items, inputs = found[own[at]]
        if len(items):
            taken = np.isin(items, shopper.targets)
            before = np.isin(items, past_behaviours(behind.query)[0])
            newcomer = at >= len(shoppers)
            pages.append(CandidatePage(shopper.user, shopper.query, items, inputs, taken, before, newcomer))
    return pages


def scored(pages: Sequence[CandidatePage], model: LoadedModel, width: int) -> RankedSample:
    """The pages' candidates, with `width` inputs each, and the model's scores of them."""
    if not pages:
        return RankedSample(
            np.empty((0, width), np.float32),
            np.empty(0, np.float32),
            np.empty(0, np.bool_),
            0,
            np.empty(0, np.int32),
            np.empty(0, np.int32),
            np.empty(0, np.int32),
        )
    rows, own = distinct_askers([page.query for page in pages])
    scores = [log_odds_of(model.scores(pages[row].query, pages[row].items)) for row in rows]
    return RankedSample(
        np.concatenate([page.inputs for page in pages]),
        np.concatenate([scores[at] for at in own]),
        np.concatenate([page.taken for page in pages]),
        len(pages),
        np.repeat(np.arange(len(pages), dtype=np.int32), [len(page.items) for page in pages]),
        np.concatenate([page.items for page in pages]),
        np.array([page.user for page in pages], np.int32),
        before=np.concatenate([page.before for page in pages]),
        newcomer=np.array([page.newcomer for page in pages], np.bool_),
    )
