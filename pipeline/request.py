"""One request on its way through a pipeline: the stages in turn, and what happens when one fails."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np

from pipeline.candidates import Candidates, Float32, Int32, unscored
from pipeline.contracts import check_mask, check_order, check_recalled
from pipeline.deadlines import Cutoffs, run_until
from pipeline.guard import LATE, OUTAGES, Outage, attempt, bugs_of
from pipeline.quality_factor import narrowed
from pipeline.scoring import Scores, score_in_parts
from pipeline.stages import NO_MODEL, Channel, Filter, Model, RecalledColumns, Reranker
from pipeline.trace import Clock, Trace

if TYPE_CHECKING:
    from pipeline.runner import Backfill, Pipeline, Prerank, Ranking

Q = TypeVar("Q")
T = TypeVar("T")

BACKFILL_GROWTH = 4


class Nothing(NamedTuple):
    """What a channel recalls when it recalls nothing."""

    items: Int32
    scores: Float32
    triggers: Int32


NOTHING = Nothing(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Request(Generic[Q]):
    """A query on its way through `pipeline`; `trace` gathers what happened to it."""

    pipeline: Pipeline[Q]
    query: Q
    page_size: int
    cutoffs: Cutoffs
    clock: Clock
    trace: Trace
    part: float = 1.0
    """Of its width, that the request is given: `k`, prerank's candidates and those ranked."""

    async def run(self) -> tuple[Candidates, Model]:
        """Candidates in page order, and the model that scored them."""
        pipeline = self.pipeline
        full = max(pipeline.candidates, self.page_size)
        limit = self._narrowed(full)
        width = limit
        if pipeline.prerank is not None:
            width = max(limit, self._narrowed(pipeline.prerank.candidates))
        if self.part < 1.0:
            self.trace.record("quality_factor", self.clock(), full, limit, detail=f"{self.part:.3f}")
        fused, kept = await self.sieved(width)
        if self.part < 1.0 and pipeline.backfill is None and len(kept) < self.page_size:
            # Only the width that was taken away can fill the page.
            return await replace(self, part=1.0).run()
        if pipeline.prerank is not None:
            kept = await self.prerank(pipeline.prerank, self.limit(kept, width), limit)
        kept = self.limit(kept, limit)
        if pipeline.backfill is not None and len(kept) < self.page_size:
            kept = await self.fill(pipeline.backfill, kept, fused.items)
        model = NO_MODEL
        if pipeline.ranking is not None:
            kept, model = await self.rank(pipeline.ranking, kept)
        for reranker in pipeline.rerankers:
            kept = self.rerank(reranker, kept)
        return kept.take(slice(self.page_size)), model

    async def sieved(self, width: int) -> tuple[Candidates, Candidates]:
        """What the channels give, joined for `width` candidates; and what of it the filters keep."""
        recalled = await self.recall()
        fused = self.fuse(recalled, math.ceil(width * self.pipeline.oversample))
        kept = fused
        for stage in self.pipeline.filters:
            kept = self.filter(stage, kept)
        return fused, kept

    async def recall(self) -> list[RecalledColumns]:
        """Every channel's answer, in the pipeline's order; empty where one failed or was late."""
        slots = self.pipeline.channels
        began = self.clock()
        until = [min(began + slot.timeout_ms / 1000.0, self.cutoffs.recall) for slot in slots]
        tasks = await run_until(
            [self._ask(slot.channel, self._narrowed(slot.k)) for slot in slots], until, self.clock
        )
        answers: list[RecalledColumns] = []
        for slot, task in zip(slots, tasks, strict=True):
            answer = None
            if task is None:
                self._failed(f"channel:{slot.channel.name}", began, slot.k, LATE)
            else:
                answer = task.result()
            answers.append(NOTHING if answer is None else answer)
        return answers

    def _narrowed(self, count: int) -> int:
        return narrowed(count, self.part, self.page_size)

    async def _ask(self, channel: Channel[Q], k: int) -> RecalledColumns | None:
        stage = f"channel:{channel.name}"
        began = self.clock()
        recalled = await self._guarded(stage, began, k, lambda: channel.recall(self.query, k))
        if recalled is not None:
            with bugs_of(stage):
                check_recalled(recalled, k)
            self.trace.record(stage, began, k, recalled.items.size)
        return recalled

    def fuse(self, recalled: list[RecalledColumns], total: int) -> Candidates:
        """At most `total` candidates out of the channels' answers."""
        began = self.clock()
        count_in = sum(columns.items.size for columns in recalled)
        with bugs_of("fusion"):
            fused = self.pipeline.fusion.fuse(recalled, total)
        self.trace.record("fusion", began, count_in, len(fused))
        return fused

    def filter(self, stage: Filter[Q], candidates: Candidates) -> Candidates:
        """The candidates that `stage` keeps; all of them where its dependency failed."""
        if len(candidates) == 0:
            return candidates
        name = f"filter:{stage.name}"
        began = self.clock()
        try:
            kept = self._keep(stage, candidates)
        except OUTAGES as error:
            self._failed(name, began, len(candidates), Outage("failed", str(error)))
            return candidates
        removed = len(candidates) - len(kept)
        self.trace.record(name, began, len(candidates), len(kept), {stage.name: removed} if removed else None)
        return kept

    def _keep(self, stage: Filter[Q], candidates: Candidates) -> Candidates:
        with bugs_of(f"filter:{stage.name}", apart_from=OUTAGES):
            mask = stage.keep(self.query, candidates)
            check_mask(mask, len(candidates))
        return candidates if mask.all() else candidates.take(mask)

    def limit(self, candidates: Candidates, limit: int) -> Candidates:
        """The first `limit` candidates in recall order: what ranking is asked to score."""
        if len(candidates) <= limit:
            return candidates
        began = self.clock()
        kept = candidates.take(slice(limit))
        self.trace.record("limit", began, len(candidates), limit, {"over_limit": len(candidates) - limit})
        return kept

    async def fill(self, backfill: Backfill[Q], kept: Candidates, seen: Int32) -> Candidates:
        """Candidates filled up to a page by the backfill channel, as far as it and the time go.

        seen  int32[s], items that need not be asked about again
        """
        channel = backfill.channel
        bit = self.pipeline.channel_names.index(channel.name)
        k = 0
        while len(kept) < self.page_size and k < backfill.limit:
            k = min(max(k * BACKFILL_GROWTH, seen.size + self.page_size), backfill.limit)
            began = self.clock()
            (task,) = await run_until([self._backfill(channel, k)], [self.cutoffs.ranking], self.clock)
            if task is None:
                self._failed(f"backfill:{channel.name}", began, k, LATE)
                break
            recalled = task.result()
            if recalled is None:
                break
            new = np.isin(recalled.items, seen, invert=True)
            found = unscored(
                recalled.items[new],
                np.full(np.count_nonzero(new), 1 << bit, dtype=np.uint32),
                recalled.scores[new],
                recalled.triggers[new],
            )
            kept = kept.followed_by(self._sieved_backfill(channel, found, began, self.page_size - len(kept)))
            if recalled.items.size < k:
                break
            seen = np.concatenate((seen, found.items))
        return kept

    async def _backfill(self, channel: Channel[Q], k: int) -> RecalledColumns | None:
        stage = f"backfill:{channel.name}"
        recalled = await self._guarded(stage, self.clock(), k, lambda: channel.recall(self.query, k))
        if recalled is not None:
            with bugs_of(stage):
                check_recalled(recalled, k)
        return recalled

    def _sieved_backfill(
        self, channel: Channel[Q], found: Candidates, began: float, wanted: int
    ) -> Candidates:
        removed: dict[str, int] = {}
        kept = found
        for stage in self.pipeline.filters:
            before = len(kept)
            try:
                kept = self._keep(stage, kept) if before else kept
            except OUTAGES:
                self.trace.degrade(f"filter:{stage.name}")
            if len(kept) < before:
                removed[stage.name] = before - len(kept)
        kept = kept.take(slice(wanted))
        self.trace.record(f"backfill:{channel.name}", began, len(found), len(kept), removed)
        return kept

    async def prerank(self, prerank: Prerank[Q], candidates: Candidates, keep: int) -> Candidates:
        """The `keep` best by the light scorer, best first; all, as they came, where it failed or was late."""
        began = self.clock()
        count = len(candidates)
        if count <= keep:
            self.trace.record("prerank", began, count, count, outcome="skipped", detail="all can be ranked")
            return candidates
        scores = await self._scores("prerank", prerank.ranking, candidates, self.cutoffs.prerank, began)
        if scores is None:
            return candidates
        kept = candidates.take(scores.order()[:keep])
        self._scored("prerank", began, scores, keep, {"prerank": count - keep})
        return kept

    async def rank(self, ranking: Ranking[Q], candidates: Candidates) -> tuple[Candidates, Model]:
        """Candidates best first by the scorer; in the order they came where it failed or was late."""
        began = self.clock()
        count = len(candidates)
        if count == 0:
            self.trace.record("ranking", began, 0, 0, outcome="skipped", detail="no candidates")
            return candidates, NO_MODEL
        scores = await self._scores("ranking", ranking, candidates, self.cutoffs.ranking, began)
        if scores is None:
            return candidates, NO_MODEL
        with bugs_of("ranking"):
            model = ranking.scorer.model(self.query)
        ranked = candidates.with_score(scores.values).take(scores.order())
        self._scored("ranking", began, scores, count)
        return ranked, model

    async def _scores(
        self, stage: str, ranking: Ranking[Q], candidates: Candidates, cutoff: float, began: float
    ) -> Scores | None:
        """Scores of some of the candidates at least; None, which is recorded, where none came in time."""
        count = len(candidates)
        until = min(began + ranking.timeout_ms / 1000.0, cutoff)
        if until <= began:
            self._failed(stage, began, count, Outage("skipped", "no time left"))
            return None
        scores = await score_in_parts(
            stage, ranking.scorer, ranking.split, self.query, candidates, until, self.clock
        )
        if scores.lost:
            self._failed(stage, began, count, Outage(scores.outcome, scores.detail))
            return None
        return scores

    def _scored(
        self,
        stage: str,
        began: float,
        scores: Scores,
        count_out: int,
        removed: dict[str, int] | None = None,
    ) -> None:
        self.trace.record(stage, began, scores.values.size, count_out, removed, scores.outcome, scores.detail)
        if scores.outages:
            self.trace.degrade(f"{stage}:partial")

    def rerank(self, reranker: Reranker[Q], candidates: Candidates) -> Candidates:
        """Candidates in the order `reranker` gives them; unchanged where its dependency failed."""
        name = f"rerank:{reranker.name}"
        began = self.clock()
        try:
            with bugs_of(name, apart_from=OUTAGES):
                positions = reranker.order(self.query, candidates, self.page_size)
                check_order(positions, len(candidates), self.page_size)
        except OUTAGES as error:
            self._failed(name, began, len(candidates), Outage("failed", str(error)))
            return candidates
        self.trace.record(name, began, len(candidates), positions.size)
        return candidates.take(positions)

    async def _guarded(
        self, stage: str, began: float, count_in: int, work: Callable[[], Awaitable[T]]
    ) -> T | None:
        """The result of `work`; None where its dependency failed, which is recorded."""
        result = await attempt(stage, work)
        if isinstance(result, Outage):
            self._failed(stage, began, count_in, result)
            return None
        return result

    def _failed(self, stage: str, began: float, count_in: int, outage: Outage) -> None:
        kept = 0 if stage.startswith(("channel:", "backfill:")) else count_in
        self.trace.record(stage, began, count_in, kept, outcome=outage.outcome, detail=outage.detail)
        self.trace.degrade(stage.replace("backfill:", "channel:"))
