"""The candidates that a scene finds for shoppers, with what the last layer learns from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.loaded_models import LoadedModel
from evaluation.newcomers import Newcomer
from evaluation.queries import TestShopper
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
    nobody: tuple[NDArray[np.int32], NDArray[np.float32]] | None = None
    pages = []
    for done, (shopper, behind) in enumerate(zip(asked, whole, strict=True)):
        if done % 100 == 0:
            progress(0.5 + 0.2 * done / len(asked))
        if nobody is not None and not shopper.query.user_id:
            # Whom nobody knows are all asked the same.
            items, inputs = nobody
        else:
            deadline = time.monotonic() + UNHURRIED_MS / 1_000
            candidates = (await rank(pipeline, shopper.query, 1, deadline, time.monotonic)).candidates
            items = candidates.items
            inputs = ranker_inputs(shopper.query, candidates, facts, source.catalogue, channels)
            if not shopper.query.user_id:
                nobody = items, inputs
        if len(items):
            taken = np.isin(items, shopper.targets)
            before = np.isin(items, past_behaviours(behind.query)[0])
            newcomer = done >= len(shoppers)
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
    nobody: NDArray[np.float32] | None = None
    scores = []
    for page in pages:
        if page.query.user_id:
            scores.append(log_odds_of(model.scores(page.query, page.items)))
            continue
        if nobody is None:
            nobody = log_odds_of(model.scores(page.query, page.items))
        scores.append(nobody)
    return RankedSample(
        np.concatenate([page.inputs for page in pages]),
        np.concatenate(scores),
        np.concatenate([page.taken for page in pages]),
        len(pages),
        np.repeat(np.arange(len(pages), dtype=np.int32), [len(page.items) for page in pages]),
        np.concatenate([page.items for page in pages]),
        np.array([page.user for page in pages], np.int32),
        before=np.concatenate([page.before for page in pages]),
        newcomer=np.array([page.newcomer for page in pages], np.bool_),
    )
