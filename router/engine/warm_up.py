"""One query per scene before an engine takes over: tables get into memory, and a broken one shows itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from features.context import encode_context
from features.profile import encode_profile
from pipeline.runner import run
from recall.query import Query
from router.engine.engine import Engine, Variant
from router.query_features.read import default_features
from snapshot.event_codes import VIEW

_HISTORY = 20
_PAGE_SIZE = 20
_BUDGET_S = 5.0


async def warm_up(
    engine: Engine, now: int | None = None, clock: Callable[[], float] = time.monotonic
) -> None:
    """Runs every pipeline once, for a shopper who viewed the most popular items at unix second `now`.

    Raises `StageBug` where a stage cannot work on this engine. A failed dependency is none of the engine's
    faults.
    """
    query = _popular_query(engine, int(time.time()) if now is None else now)
    for scene, pipeline in engine.pipelines.items():
        own = Variant(engine.scenes[scene], pipeline, {}, engine.features[scene])
        by_pipeline = {id(each.pipeline): each for each in (own, *engine.variants.get(scene, {}).values())}
        for each in by_pipeline.values():
            asked = replace(query, scene=scene, features=default_features(each.features))
            await run(each.pipeline, asked, _PAGE_SIZE, clock() + _BUDGET_S, clock)


def _popular_query(engine: Engine, now: int) -> Query:
    catalogue = engine.catalogue
    items = (np.argsort(-catalogue.popularity[1:], kind="stable")[:_HISTORY] + 1).astype(np.int32)
    return Query(
        scene="",
        now=now,
        history_items=items,
        history_events=np.full(items.size, VIEW, np.uint8),
        history_ts=np.full(items.size, now - 60, np.int64),
        triggers=items,
        trigger_weights=np.ones(items.size, np.float32),
        profile_codes=encode_profile({}, catalogue.profile_vocab),
        context_codes=encode_context(now),
        model_versions=engine.model_versions,
    )
