"""One request on its way to ranked candidates: the stages in turn, and what happens when one fails."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from pipeline.candidates import Candidates, Int32, unscored
from pipeline.channel_ranks import with_channel_ranks
from pipeline.contracts import check_mask, check_recalled
from pipeline.deadlines import Cutoffs, run_until
from pipeline.guard import LATE, OUTAGES, Outage, attempt, bugs_of, record_outage
from pipeline.plan import Backfill, Pipeline
from pipeline.quality_factor import narrowed
from pipeline.ranking import RankingStage
from pipeline.stages import (
    EMPTY_RECALL,
    NO_MODEL,
    Channel,
    ContractError,
    Filter,
    Model,
    RecalledColumns,
    StageBug,
)
from pipeline.trace import Clock, Trace

Q = TypeVar("Q")
T = TypeVar("T")

BACKFILL_GROWTH = 4


@dataclass(frozen=True, slots=True)
class Request(Generic[Q]):
    """A query on its way through `pipeline` up to ranking; `trace` gathers what happened to it.

    page_size  number of slots that the ranked candidates are to fill
    part       of its width, that the request is given: `k`, prerank's candidates and those ranked
    """

    pipeline: Pipeline[Q]
    query: Q
    page_size: int
    cutoffs: Cutoffs
    clock: Clock
    trace: Trace
    part: float = 1.0

    async def rank(self) -> tuple[Candidates, Model]:
        """Candidates in the order of ranking, and the model that scored them."""
        pipeline = self.pipeline
        full = max(pipeline.candidates, self.page_size)
        limit = self._narrowed(full)
        width = limit
        if pipeline.prerank is not None:
            width = max(limit, self._narrowed(pipeline.prerank.candidates))
        if self.part < 1.0:
            self.trace.record("quality_factor", self.clock(), full, limit, detail=f"{self.part:.3f}")
        fused, kept = await self.recalled_and_filtered(width)
        if self.part < 1.0 and pipeline.backfill is None and len(kept) < self.page_size:
            # Only the width that was taken away can fill the page.
            return await replace(self, part=1.0).rank()
        stage = RankingStage(self.query, self.cutoffs, self.clock, self.trace)
        if pipeline.prerank is not None:
            kept = await stage.prerank(pipeline.prerank, self.limit(kept, width), limit)
        kept = self.limit(kept, limit)
        if pipeline.backfill is not None and len(kept) < self.page_size:
            kept = await self.fill(pipeline.backfill, kept, fused.items)
        if pipeline.ranking is None:
            return kept, NO_MODEL
        return await stage.rank(pipeline.ranking, kept)

    async def recalled_and_filtered(self, width: int) -> tuple[Candidates, Candidates]:
        """What the channels recall, joined for `width` candidates; and what of it the filters keep."""
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
            [self._recall_from(slot.channel, self._narrowed(slot.k)) for slot in slots],
            until,
            self.clock,
            [slot.waits for slot in slots],
        )
        answers: list[RecalledColumns] = []
        for slot, task in zip(slots, tasks, strict=True):
            answer = None
            if task is None:
                record_outage(self.trace, f"channel:{slot.channel.name}", began, slot.k, LATE)
            else:
                answer = task.result()
            answers.append(EMPTY_RECALL if answer is None else answer)
        return answers

    def _narrowed(self, count: int) -> int:
        return narrowed(count, self.part, self.page_size)

    async def _recall_from(self, channel: Channel[Q], k: int) -> RecalledColumns | None:
        stage = f"channel:{channel.name}"
        began = self.clock()
        recalled = await self._guarded(stage, began, k, lambda: channel.recall(self.query, k))
        if recalled is not None:
            with bugs_of(stage):
                check_recalled(recalled, k)
            self.trace.record(
                stage,
                began,
                k,
                recalled.items.size,
                outcome="partial" if recalled.missing else "ok",
                detail=recalled.missing,
            )
            self._note_missing(channel, recalled)
        return recalled

    def _note_missing(self, channel: Channel[Q], recalled: RecalledColumns) -> None:
        if recalled.missing:
            self.trace.degrade(f"channel:{channel.name}:partial")

    def fuse(self, recalled: list[RecalledColumns], total: int) -> Candidates:
        """At most `total` candidates out of the channels' answers."""
        began = self.clock()
        count_in = sum(columns.items.size for columns in recalled)
        with bugs_of("fusion"):
            fusion, detail = self.pipeline.fusion, ""
            if self.pipeline.live_fusion is not None:
                fusion, detail = self.pipeline.live_fusion.fusion_for(self.query)
            if self.pipeline.fitted_fusion is not None:
                fusion = self.pipeline.fitted_fusion(fusion, self.query)
            fused = fusion.fuse(recalled, total)
            if self.pipeline.channel_ranks:
                names = [slot.channel.name for slot in self.pipeline.channels]
                fused = with_channel_ranks(fused, recalled, names)
        self.trace.record("fusion", began, count_in, len(fused), detail=detail)
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
            record_outage(self.trace, name, began, len(candidates), Outage("failed", str(error)))
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
        """The first `limit` candidates in recall order: what ranking scores."""
        if len(candidates) <= limit:
            return candidates
        began = self.clock()
        kept = candidates.take(slice(limit))
        self.trace.record("limit", began, len(candidates), limit, {"over_limit": len(candidates) - limit})
        return kept

    async def fill(self, backfill: Backfill[Q], kept: Candidates, seen: Int32) -> Candidates:
        """Candidates filled up to a page by the backfill channel, as far as it and the time go.

        seen  int32[s], items that were filtered before
        """
        channel = backfill.channel
        bit = self.pipeline.channel_names.index(channel.name)
        k = 0
        while len(kept) < self.page_size and k < backfill.limit:
            k = min(max(k * BACKFILL_GROWTH, seen.size + self.page_size), backfill.limit)
            began = self.clock()
            (task,) = await run_until(
                [self._backfill(channel, k)], [self.cutoffs.ranking], self.clock, [backfill.waits]
            )
            if task is None:
                record_outage(self.trace, f"backfill:{channel.name}", began, k, LATE)
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
            kept = kept.followed_by(
                self._filtered_backfill(channel, found, began, self.page_size - len(kept))
            )
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
            self._note_missing(channel, recalled)
        return recalled

    def _filtered_backfill(
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

    async def _guarded(
        self, stage: str, began: float, count_in: int, work: Callable[[], Awaitable[T]]
    ) -> T | None:
        """The result of `work`; None where its dependency failed, which is recorded."""
        result = await attempt(stage, work)
        if isinstance(result, Outage):
            record_outage(self.trace, stage, began, count_in, result)
            return None
        if result is None:
            raise StageBug(stage, ContractError("it returned nothing"))
        return result
