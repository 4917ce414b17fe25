"""The pipeline and how one request runs through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from pipeline.candidates import MAX_CHANNELS, Candidates
from pipeline.deadlines import Division
from pipeline.metrics import NoMetrics, StageMetrics
from pipeline.place import PIPELINE
from pipeline.request import Request
from pipeline.scoring import WHOLE, Split
from pipeline.stages import Channel, Filter, Fusion, Model, Reranker, Scorer, StageBug
from pipeline.trace import Clock, StageRecord, Trace

Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class ChannelSlot(Generic[Q]):
    """A channel's place in a pipeline.

    k           most items to ask for
    timeout_ms  milliseconds after which it is not waited for, within what the request has left
    """

    channel: Channel[Q]
    k: int
    timeout_ms: float


@dataclass(frozen=True, slots=True)
class Backfill(Generic[Q]):
    """The channel asked for more where the filters leave less than a page.

    limit  most items it is ever asked for
    """

    channel: Channel[Q]
    limit: int = 2000


@dataclass(frozen=True, slots=True)
class Ranking(Generic[Q]):
    """A scorer, the milliseconds it may take, within what the request has left, and into how many calls
    its candidates are split.
    """

    scorer: Scorer[Q]
    timeout_ms: float
    split: Split = WHOLE


@dataclass(frozen=True, slots=True)
class Prerank(Generic[Q]):
    """A light ranking that narrows many candidates to those that are ranked.

    candidates  most candidates it is given
    """

    ranking: Ranking[Q]
    candidates: int


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to one request.

    items     in page order, at most page_size
    degraded  what did not take part: "channel:mind", "filter:adult", "prerank", "ranking", "rerank:scatter";
              "prerank:partial" or "ranking:partial" where some candidates could not be scored
    trace     one record per stage, in the order they began
    model     name and version of the model that scored the items; both empty where none did
    """

    items: Candidates
    degraded: tuple[str, ...]
    trace: list[StageRecord]
    model: Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(Generic[Q]):
    """Channels → fusion → filters → prerank → ranking → rerank, for queries of type Q.

    name        as metrics call it (a scene)
    channels    asked concurrently; channel i sets bit i of `Candidates.channels`
    fusion      joins their answers
    filters     in this order, cheap before dear
    prerank     None: the first `candidates` in recall order are ranked
    ranking     None: recall order is page order
    rerankers   in this order
    backfill    None: a page stays short where the filters leave too little
    candidates  most candidates ranked (or one page, where that is more)
    oversample  fusion hands the filters this many times `candidates`, or those of `prerank`, so that they
                leave enough
    division    of the caller's time among the stages
    metrics     observes every run
    """

    name: str
    channels: tuple[ChannelSlot[Q], ...]
    fusion: Fusion
    filters: tuple[Filter[Q], ...] = ()
    prerank: Prerank[Q] | None = None
    ranking: Ranking[Q] | None = None
    rerankers: tuple[Reranker[Q], ...] = ()
    backfill: Backfill[Q] | None = None
    candidates: int = 300
    oversample: float = 1.5
    division: Division = field(default_factory=Division)
    metrics: StageMetrics = field(default_factory=NoMetrics)

    def __post_init__(self) -> None:
        names = [slot.channel.name for slot in self.channels]
        if len(set(names)) != len(names):
            raise ValueError(f"pipeline {self.name}: a channel comes twice in {names}")
        if len(self.channel_names) > MAX_CHANNELS:
            raise ValueError(f"pipeline {self.name}: more than {MAX_CHANNELS} channels")

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names by channel bit; a backfill channel not among the channels has the bit after theirs."""
        names = tuple(slot.channel.name for slot in self.channels)
        if self.backfill is not None and self.backfill.channel.name not in names:
            return (*names, self.backfill.channel.name)
        return names

    async def run(
        self,
        query: Q,
        page_size: int,
        deadline: float,
        clock: Clock,
        *,
        arrived: float | None = None,
        width: float = 1.0,
    ) -> Page:
        """The page of `page_size` slots (above 0) for `query`, by `deadline`.

        deadline  point in time in seconds on `clock` by which the caller needs the answer
        arrived   when the request came in, from which the trace counts; default: now
        width     part, above 0 and at most 1, of the channels' k and of the candidates that the request is
                  given; less than 1 under overload. The page is no shorter for it

        A stage whose dependency failed or whose time ran out is named in `degraded`. Raises
        `DeadlineExceeded` where no time is left at the start and `StageBug` where a stage failed for any
        other reason. A cancellation stops every channel and is passed on.
        """
        if page_size < 1:
            raise ValueError(f"page_size must be at least 1, got {page_size}")
        PIPELINE.set(self.name)
        now = clock()
        cutoffs = self.division.cutoffs(now, deadline)
        trace = Trace(clock, now if arrived is None else arrived)
        request = Request(self, query, page_size, cutoffs, clock, trace, width)
        try:
            found, model = await request.run()
        except StageBug as bug:
            kind = type(bug.cause).__name__
            trace.record(bug.stage, clock(), 0, 0, outcome="failed", detail=f"bug: {kind}: {bug.cause}")
            bug.trace = tuple(trace.in_order())
            raise
        finally:
            for record in trace.records:
                self.metrics.stage(self.name, record)
        degraded = tuple(trace.degraded)
        self.metrics.page(self.name, page_size, len(found), degraded)
        return Page(found, degraded, trace.in_order(), model)


def channels_of(bits: int | np.uint32, names: Sequence[str]) -> list[str]:
    """Names of the channels whose bits are set, lowest bit first; `names` as `Pipeline.channel_names`."""
    return [name for bit, name in enumerate(names) if int(bits) >> bit & 1]
