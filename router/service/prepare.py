"""What a request is answered from: its shopper, what its scenes are about, and their queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from environment.board import NO_SURROUNDINGS, Board
from pipeline.metrics import StageMetrics
from pipeline.trace import Clock
from recall.query import Query
from recall.search.context_index import wish_of
from router.engine.engine import Engine, Variant
from router.page.exposure_plans import ExposurePlans
from router.query_features.read import FeatureReading
from router.query_features.surroundings import NAME as SURROUNDINGS
from router.service.anchor import Anchors, find_anchors
from router.service.queries import build_query
from router.service.rollout_hooks import RolloutHooks
from router.service.shopper import Shopper, read_shopper
from router.service.validation import CheckedRequest
from state.merchandising.live_rules import LiveRules
from state.plan_counts.budget_ledger import Budgets
from state.published import Published
from state.store import StateStore


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a replica reads what it knows beside its snapshot.

    Attributes:
        store: user state.
        rollouts: which version answers whom.
        rules: what merchandisers block and pin.
        exposure_plans: keeps what operators plan of exposure.
        budgets: of exposures that channels may give.
        published: returns what the learner has published.
        environment: weather and alerts by city.
        clock: monotonic seconds, for deadlines.
    """

    store: StateStore
    rollouts: RolloutHooks
    rules: LiveRules
    exposure_plans: ExposurePlans
    budgets: Budgets
    published: Callable[[], Published]
    environment: Board
    clock: Clock


@dataclass(frozen=True, slots=True)
class Prepared:
    """One shopper's queries, in the order of the request's scenes."""

    shopper: Shopper
    queries: list[Query]
    anchors: list[Anchors]
    unknown: tuple[str, ...]
    """Names for `degraded`: the words of the request that the shop does not know."""

    def degraded(self, scene: int) -> tuple[str, ...]:
        """What was missing before the pipeline of the scene at this position ran."""
        return (*self.shopper.degraded, *self.anchors[scene].degraded, *self.unknown)


async def prepare(
    sources: Sources,
    engine: Engine,
    asked: CheckedRequest,
    variants: Sequence[Variant],
    deadline: float,
    arrived: float,
    now: int,
    metrics: StageMetrics,
    shown: NDArray[np.int32],
    crowd: Mapping[str, str] | None = None,
) -> Prepared:
    """Reads the shopper once and makes the query of each scene.

    Args:
        sources: of this replica.
        engine: what answers.
        asked: the checked request.
        variants: one of each scene, those of the shopper's arms.
        deadline: when the first of the scenes must be answered, in seconds on `sources.clock`.
        arrived: when the request arrived, on the same clock.
        now: unix seconds.
        metrics: counts each query feature's seconds and outcome.
        shown: int32[s], what the pages before showed in any of the scenes.
        crowd: profile that an anonymous shopper is taken to have.

    Raises:
        StageBug: a query feature has a bug.
    """
    reading = FeatureReading(
        _features(engine, variants),
        now,
        deadline,
        sources.clock,
        arrived,
        asked.scenes[0].scene,
        metrics,
        sources.published(),
        sources.environment,
        sources.budgets,
    )
    shopper = await read_shopper(sources.store, engine.catalogue, asked.user_id, asked.city, reading, crowd)
    anchors = [find_anchors(engine.catalogue, asked, shopper, each.settings, now) for each in variants]
    surroundings = shopper.features.get(SURROUNDINGS, NO_SURROUNDINGS)
    wish, unknown = wish_of(engine.context_index, asked.looking_for, engine.catalogue)
    queries = [
        sources.rollouts.under_rollout(
            build_query(
                engine,
                shopper,
                asked,
                scene.scene,
                about,
                now,
                variant.arms,
                wish,
                shown,
                sources.rules.of(engine.catalogue, scene.scene, now, surroundings.alerts),
            ),
            engine,
        )
        for scene, variant, about in zip(asked.scenes, variants, anchors, strict=True)
    ]
    return Prepared(shopper, queries, anchors, tuple(unknown))


def _features(engine: Engine, variants: Sequence[Variant]) -> frozenset[str]:
    """Query features that the answer's components read; page rerankers see answers of several scenes only."""
    if len(variants) == 1:
        return variants[0].features
    return engine.page.features.union(*(variant.features for variant in variants))
