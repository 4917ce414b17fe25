"""Runs the page rerankers over the scenes of one answer, and gives each scene its page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from pipeline.deadlines import run_until
from pipeline.guard import LATE, Outage, attempt, bugs_of, record_outage
from pipeline.plan import Page, Ranked
from pipeline.runner import complete
from pipeline.stages import Reranker, StageBug
from recall.query import Query
from router.page.contract import PageReranker, RankedScene, check_arranged
from router.page.no_repeats import NoRepeats
from router.page.registry import PAGE_RERANKERS
from router.rerank.venues import Venues
from router.tables.component import Parts


@dataclass(frozen=True, slots=True)
class ScenePage:
    """One scene of an answer before the page rerankers.

    ranked     its candidates
    page       as the scene's own rerankers arranged it, with spares behind the first `page_size` items
    page_size  slots that are shown
    """

    ranked: Ranked[Query]
    page: Page
    page_size: int


class PageArrangement:
    """The page rerankers of one scene configuration."""

    def __init__(
        self,
        rerankers: Sequence[PageReranker],
        features: frozenset[str] = frozenset(),
        spared_late: Collection[str] = (),
    ) -> None:
        """Runs `rerankers` in this order, and `no_repeats` last: the service's contract promises it.

        `features`: query features that they read. `spared_late`: names of those that are left out where the
        page's time is up as their turn comes.
        """
        self.features = features
        self._spared_late = spared_late
        last_is_no_repeats = bool(rerankers) and isinstance(rerankers[-1], NoRepeats)
        self.rerankers: tuple[PageReranker, ...] = (
            tuple(rerankers) if last_is_no_repeats else (*rerankers, NoRepeats())
        )

    def slots(self, page_sizes: Sequence[int]) -> list[int]:
        """How many slots each scene is ranked for: the most that a page reranker wants; at least its size."""
        if len(page_sizes) == 1:
            return list(page_sizes)
        wanted = [reranker.slots(page_sizes) for reranker in self.rerankers]
        return [max(each) for each in zip(page_sizes, *wanted, strict=True)]

    async def arrange(self, scenes: Sequence[ScenePage]) -> list[Page]:
        """The page of each scene, at most `page_size` items; a page of one scene is shown as it is.

        A page reranker whose dependency failed, or that was late, changes nothing and is named in each
        page's `degraded`. Raises `StageBug` where one fails for another reason or breaks its contract.
        """
        if len(scenes) == 1:
            return [scene.page for scene in scenes]
        reported = [len(scene.ranked.trace.records) for scene in scenes]
        arranged = [
            RankedScene(
                each.ranked.query,
                each.page_size,
                each.page.items,
                structure_of(each.ranked.pipeline.rerankers),
            )
            for each in scenes
        ]
        try:
            for reranker in self.rerankers:
                spared = reranker.name in self._spared_late
                arranged = await _arranged(reranker, arranged, [scene.ranked for scene in scenes], spared)
        except StageBug as bug:
            complete(bug, scenes[0].ranked.trace)
            raise
        finally:
            for scene, begin in zip(scenes, reported, strict=True):
                pipeline = scene.ranked.pipeline
                for record in scene.ranked.trace.records[begin:]:
                    pipeline.metrics.stage(pipeline.name, record)
        return [
            replace(
                scene.page,
                items=each.candidates.take(slice(each.page_size)),
                degraded=scene.ranked.degraded,
                trace=scene.ranked.trace.in_order(),
            )
            for scene, each in zip(scenes, arranged, strict=True)
        ]


def structure_of(rerankers: Sequence[Reranker[Query]]) -> Venues | None:
    """The reranker that gives a scene's page its structure, None where any order is a page of it."""
    return next((stage for stage in rerankers if isinstance(stage, Venues)), None)


async def _arranged(
    reranker: PageReranker, scenes: list[RankedScene], ranked: Sequence[Ranked[Query]], spared_late: bool
) -> list[RankedScene]:
    stage = f"page:{reranker.name}"
    clock = ranked[0].trace.clock
    began = clock()
    # The answer waits for its slowest scene, whose time is the page's.
    until = max(each.cutoffs.page for each in ranked)
    task = None
    if not spared_late or began < until:
        (task,) = await run_until([attempt(stage, partial(reranker.arrange, scenes))], [until], clock)
    positions = LATE if task is None else task.result()
    if isinstance(positions, Outage):
        for scene, each in zip(scenes, ranked, strict=True):
            record_outage(each.trace, stage, began, len(scene.candidates), positions)
        return scenes
    with bugs_of(stage):
        check_arranged(scenes, positions)
    return [_taken(stage, began, *each) for each in zip(scenes, positions, ranked, strict=True)]


def _taken(
    stage: str, began: float, scene: RankedScene, positions: NDArray[np.intp], ranked: Ranked[Query]
) -> RankedScene:
    candidates = scene.candidates.take(positions)
    ranked.trace.record(stage, began, len(scene.candidates), len(candidates))
    return replace(scene, candidates=candidates)


def build_arrangement(rerank: Mapping[str, BaseModel], parts: Callable[[str], Parts]) -> PageArrangement:
    """The arrangement of the page rerankers with these settings, by name; `parts` gives each its parts."""
    return PageArrangement(
        [PAGE_RERANKERS[name].create(parts(name), settings) for name, settings in rerank.items()],
        frozenset(feature for name in rerank for feature in PAGE_RERANKERS[name].features),
        frozenset(name for name in rerank if PAGE_RERANKERS[name].spared_late),
    )
