"""A request that keeps what every stage passed on, so that an item's way through it can be explained.

It runs the same code as a shopper's request and adds nothing to counts, state or logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.arranging import in_page_order
from pipeline.candidates import Candidates, Int32, no_candidates
from pipeline.metrics import NoMetrics
from pipeline.plan import Backfill, Page, Pipeline, Ranked
from pipeline.request import Request
from pipeline.stages import Filter, RecalledColumns
from pipeline.trace import Clock, Trace
from recall.query import Query
from router.page.arrangement import ScenePage
from router.page.drawn_slots import DrawnPage, draw_slots
from router.page.exploration import draw_seed
from router.page.exposure_plans import ExposurePlans
from router.page.pins import place_pins
from router.scenes.settings import SceneSettings


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage passed on: dense items int32[n] in its order."""

    stage: str
    items: NDArray[np.int32]


@dataclass(slots=True)
class Observation:
    """What the stages of one request passed on.

    recalled  by channel, in the pipeline's order
    steps     fusion, filters, prerank, limit, backfill, ranking, rerankers, page and what changes a finished
              page, in their order
    ranked    candidates in the order of ranking, with their scores
    """

    recalled: Sequence[RecalledColumns] = ()
    steps: list[Step] = field(default_factory=list)
    ranked: Candidates = field(default_factory=no_candidates)
    limits: int = 0

    def passed(self, stage: str, items: NDArray[np.int32]) -> None:
        """Notes that `stage` passed on `items`, int32[n]."""
        self.steps.append(Step(stage, items))


@dataclass(frozen=True)
class ObservedRequest(Request[Query]):
    """A request whose stages are noted in `seen`."""

    seen: Observation = field(default_factory=Observation)

    def fuse(self, recalled: list[RecalledColumns], total: int) -> Candidates:
        """As `Request.fuse`."""
        fused = super().fuse(recalled, total)
        self.seen.recalled = recalled
        self.seen.passed("fusion", fused.items)
        return fused

    def filter(self, stage: Filter[Query], candidates: Candidates) -> Candidates:
        """As `Request.filter`."""
        kept = super().filter(stage, candidates)
        self.seen.passed(f"filter:{stage.name}", kept.items)
        return kept

    def limit(self, candidates: Candidates, limit: int) -> Candidates:
        """As `Request.limit`; it is called before and after prerank, where there is one."""
        self.seen.limits += 1
        if self.pipeline.prerank is not None and self.seen.limits == 2:
            self.seen.passed("prerank", candidates.items)
        kept = super().limit(candidates, limit)
        if len(kept) < len(candidates):
            self.seen.passed("limit", kept.items)
        return kept

    async def fill(self, backfill: Backfill[Query], kept: Candidates, seen: Int32) -> Candidates:
        """As `Request.fill`."""
        filled = await super().fill(backfill, kept, seen)
        self.seen.passed("backfill", filled.items)
        return filled


async def observe(
    pipeline: Pipeline[Query], query: Query, page_size: int, deadline: float, clock: Clock, arrived: float
) -> tuple[ScenePage, Observation]:
    """The page that the pipeline makes, as `pipeline.runner.run` does, and what its stages passed on.

    Raises `DeadlineExceeded` where no time is left at the start, and `StageBug` where a stage has a bug.
    """
    cutoffs = pipeline.division.cutoffs(clock(), deadline)
    trace = Trace(clock, arrived)
    seen = Observation()
    request = ObservedRequest(pipeline, query, page_size, cutoffs, clock, trace, seen=seen)
    ranked, model = await request.rank()
    seen.ranked = ranked
    if model.name:
        seen.passed("ranking", ranked.items)
    items = ranked
    for reranker in pipeline.rerankers:
        items = in_page_order((reranker,), query, items, page_size, trace)
        seen.passed(f"rerank:{reranker.name}", items.items)
    items = items.take(slice(page_size))
    seen.passed("page", items.items)
    uncounted = replace(pipeline, metrics=NoMetrics())
    page = Page(items, tuple(trace.degraded), trace.in_order(), model)
    run = Ranked(uncounted, query, page_size, ranked, model, cutoffs, trace)
    return ScenePage(run, page, page_size), seen


def finish(
    scene: ScenePage, seen: Observation, settings: SceneSettings, plans: ExposurePlans, request_id: str
) -> Page:
    """The page with what is done to finished ones, as the service does it: drawn slots, pins, plans.

    `request_id`: seeds the draws, so that they are not those of the page that a shopper was shown.
    """
    drawn = [DrawnPage(scene.page, None)]
    if settings.exploration is not None:
        seed = draw_seed(request_id, scene.ranked.query.scene)
        drawn = draw_slots([scene], [scene.page], [settings.exploration], [seed])
        seen.passed("exploration", drawn[0].page.items.items)
    if scene.ranked.query.rules.pins:
        drawn = place_pins([scene], drawn)
        seen.passed("pins", drawn[0].page.items.items)
    if scene.ranked.query.rules.plans:
        drawn = plans.keep([scene], drawn, [settings.exposure_plans], counted=False)
        seen.passed("exposure_plans", drawn[0].page.items.items)
    return drawn[0].page
