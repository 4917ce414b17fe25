"""Pages made again by the present settings and by the tested ones, with all candidates and their scores."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from evaluation.sandbox.recorded_pages import PageToMake
from evaluation.sandbox.state_then import StateThen
from evaluation.served_scene import UNHURRIED_MS
from pipeline.candidates import Candidates, Float32
from pipeline.plan import Pipeline, Ranked
from pipeline.ranking import RankingStage
from pipeline.runner import arrange, rank
from pipeline.trace import Trace
from recall.query import Query
from recall.search.context_index import wish_of
from router.engine.engine import Engine
from router.query_features.read import FeatureReading
from router.service.anchor import find_anchors
from router.service.queries import build_query
from router.service.shopper import read_shopper
from state.store import StateStore

_NOTHING_SHOWN = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True)
class MadePage:
    """A page of one setting.

    query      that its pipeline received
    pool       its candidates, best first, with their scores
    items      int32[m], the page
    degraded   what did not take part
    """

    query: Query
    pool: Candidates
    items: NDArray[np.int32]
    degraded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine under test, or the present one. Models run in this process, no stage is cut off by time."""

    engine: Engine
    store: StateStore
    clock: Callable[[], float] = time.monotonic

    def pipeline(self, scene: str) -> Pipeline[Query]:
        """Of a scene, no experiment's arm; its candidates have their channel ranks in any case."""
        # The other contender's ranking may read them.
        return replace(self.engine.pipelines[scene], channel_ranks=True)

    async def make(self, page: PageToMake) -> MadePage:
        """The page as it would have been answered, without exploration, pins and other scenes' items.

        Raises StageBug where a stage has a bug.
        """
        query = await self.query(page)
        ranked = await self._ranked(page.scene, query, page.size)
        made = arrange(ranked, page.size)
        return MadePage(query, ranked.candidates, made.items.items, made.degraded)

    async def pool(self, scene: str, query: Query, slots: int) -> Candidates:
        """The ranked candidates for a page of so many slots. Raises as `make` does."""
        return (await self._ranked(scene, query, slots)).candidates

    async def _ranked(self, scene: str, query: Query, slots: int) -> Ranked[Query]:
        deadline = self.clock() + UNHURRIED_MS / 1_000
        return await rank(self.pipeline(scene), query, slots, deadline, self.clock)

    async def query(self, page: PageToMake) -> Query:
        """What the pipeline of the page's scene receives."""
        engine, scene, now = self.engine, page.scene, page.at
        arrived = self.clock()
        reading = FeatureReading(
            engine.features[scene], now, arrived + UNHURRIED_MS / 1_000, self.clock, arrived, scene
        )
        # Only `read` is called: no registered feature reads the log.
        store = cast(StateStore, StateThen(self.store, now))
        shopper = await read_shopper(store, engine.catalogue, page.asked.user_id, page.asked.city, reading)
        anchors = find_anchors(engine.catalogue, page.asked, shopper, engine.scenes[scene], now)
        wish, _ = wish_of(engine.context_index, page.asked.looking_for, engine.catalogue)
        return build_query(engine, shopper, page.asked, scene, anchors, now, {}, wish, _NOTHING_SHOWN)

    async def scores(self, scene: str, query: Query, candidates: Candidates) -> Float32 | None:
        """Scores float32[n] of the candidates by the scene's ranking, in their order; None where it has none.

        NaN where a candidate was not scored.
        """
        ranking = self.engine.pipelines[scene].ranking
        if ranking is None:
            return None
        now = self.clock()
        cutoffs = self.engine.pipelines[scene].division.cutoffs(now, now + UNHURRIED_MS / 1_000)
        stage = RankingStage(query, cutoffs, self.clock, Trace(self.clock, now))
        unscored = candidates.with_score(np.full(len(candidates), np.nan, np.float32))
        ranked, _ = await stage.rank(ranking, unscored)
        order = np.argsort(ranked.items, kind="stable")
        at = order[np.searchsorted(ranked.items[order], candidates.items)]
        return np.asarray(ranked.score[at])
