"""What a pipeline is made of, and what a run of it gives; `runner` runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from pipeline.candidates import MAX_CHANNELS, Candidates
from pipeline.deadlines import Cutoffs, Division
from pipeline.metrics import NoMetrics, StageMetrics
from pipeline.scoring import WHOLE, Split
from pipeline.stages import Channel, Filter, Fusion, LiveFusion, LiveScorer, Merge, Model, Reranker, Scorer
from pipeline.trace import StageRecord, Trace

Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class ChannelSlot(Generic[Q]):
    """A channel's place in a pipeline.

    k           most items to request
    timeout_ms  milliseconds after which it is not waited for, within what the request has left
    waits       whether it may wait for another process; else it has no timeout and no task
    """

    channel: Channel[Q]
    k: int
    timeout_ms: float
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Backfill(Generic[Q]):
    """The channel that is called for more where the filters leave less than a page.

    limit  most items ever requested from it
    waits  as of a `ChannelSlot`
    """

    channel: Channel[Q]
    limit: int = 2000
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Ranking(Generic[Q]):
    """One scorer, whose first column orders the candidates.

    scorer      with `live` set, the source of scorers: the version that is current when a request is scored
                scores all of it
    timeout_ms  milliseconds it may take, within what the request has left
    split       into how many calls its candidates are split
    columns     names of the columns that it must give, in their order; empty: any
    waits       whether it may wait for another process; else it has no timeout and no task
    """

    scorer: Scorer[Q] | LiveScorer[Q]
    timeout_ms: float
    split: Split = WHOLE
    live: bool = False
    columns: tuple[str, ...] = ()
    waits: bool = True


@dataclass(frozen=True, slots=True)
class MergedRanking(Generic[Q]):
    """Several scorers that score the same candidates at the same time; a merge orders the candidates.

    rankings  by name of the scorer; their columns are named "<scorer>.<column>"
    merge     makes one score of the columns that arrived
    main      the scorer whose stage is called "ranking", as where it is the only one; the stage of another
              is "ranking:<scorer>". Empty: none is
    """

    rankings: Mapping[str, Ranking[Q]]
    merge: Merge
    main: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError where there is no scorer."""
        if not self.rankings:
            raise ValueError("a merged ranking needs at least one scorer")

    def stage(self, scorer: str) -> str:
        """Name of the scorer's stage."""
        return "ranking" if scorer == self.main else f"ranking:{scorer}"


@dataclass(frozen=True, slots=True)
class Prerank(Generic[Q]):
    """A light ranking that narrows many candidates to those that are ranked.

    candidates  most candidates it is given
    """

    ranking: Ranking[Q]
    candidates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(Generic[Q]):
    """Channels → fusion → filters → prerank → ranking → rerank, for queries of type Q.

    name        as metrics call it (a scene)
    channels    called concurrently; channel i sets bit i of `Candidates.channels`
    fusion      joins their answers
    live_fusion  gives each query the fusion that does so in its place; None: there is none
    fitted_fusion  fits either to what is known of a query's shopper; None: nothing is fitted
    filters     in this order, cheap before expensive
    prerank     None: the first `candidates` in recall order are ranked
    ranking     None: recall order is page order
    rerankers   in this order
    spared_late  names of the rerankers that are left out where the page's time is up as their turn comes:
                those that spread items, which takes long, and no more
    backfill    None: a page stays short where the filters leave too little
    candidates  most candidates ranked (or one page, where that is more)
    oversample  fusion gives the filters this many times `candidates`, or those of `prerank`, so that they
                leave enough
    division    of the caller's time among the stages
    channel_ranks  whether candidates have the columns of `pipeline.channel_ranks`
    metrics     observes every run
    """

    name: str
    channels: tuple[ChannelSlot[Q], ...]
    fusion: Fusion
    filters: tuple[Filter[Q], ...] = ()
    prerank: Prerank[Q] | None = None
    ranking: Ranking[Q] | MergedRanking[Q] | None = None
    rerankers: tuple[Reranker[Q], ...] = ()
    spared_late: frozenset[str] = frozenset()
    backfill: Backfill[Q] | None = None
    live_fusion: LiveFusion[Q] | None = None
    fitted_fusion: Callable[[Fusion, Q], Fusion] | None = None
    candidates: int = 300
    oversample: float = 1.5
    division: Division = field(default_factory=Division)
    channel_ranks: bool = False
    metrics: StageMetrics = field(default_factory=NoMetrics)

    def __post_init__(self) -> None:
        """Raises ValueError where a channel comes twice or there are too many."""
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


@dataclass(frozen=True, slots=True)
class Ranked(Generic[Q]):
    """The candidates of one request in the order of ranking, not yet arranged into a page.

    slots       number of slots that they are to fill; there are fewer candidates only where the pipeline
                found no more
    candidates  best first, with every column of their scorers
    model       name and version of the model that scored them; both empty where none did
    cutoffs     by which the remaining stages have to be done
    trace       of the stages so far; `arrange` adds to it
    """

    pipeline: Pipeline[Q]
    query: Q
    slots: int
    candidates: Candidates
    model: Model
    cutoffs: Cutoffs
    trace: Trace

    @property
    def degraded(self) -> tuple[str, ...]:
        """What has not taken part so far, as in `Page.degraded`."""
        return tuple(self.trace.degraded)


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to one request.

    items     in page order, at most page_size
    degraded  what did not take part: "channel:mind", "filter:adult", "prerank", "ranking",
              "ranking:<scorer>", "rerank:scatter"; "prerank:partial" or "ranking:partial" where some
              candidates could not be scored; "channel:<name>:partial" where a part of one did not answer
    trace     one record per stage, in the order they began
    model     name and version of the model that scored the items; both empty where none did
    """

    items: Candidates
    degraded: tuple[str, ...]
    trace: list[StageRecord]
    model: Model


def channels_of(bits: int | np.uint32, names: Sequence[str]) -> list[str]:
    """Names of the channels whose bits are set, lowest bit first; `names` as `Pipeline.channel_names`."""
    return [name for bit, name in enumerate(names) if int(bits) >> bit & 1]
