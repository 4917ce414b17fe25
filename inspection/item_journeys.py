"""The way of single items through an observed request: ranks at each stage, and where one was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from inspection.observed_request import Observation, Step
from pipeline.stages import RecalledColumns

BEFORE_FUSION = "recall"
UNKNOWN = "catalogue"
_TAKES_SLOTS = {
    "exploration": "another item was drawn for its slot",
    "pins": "what merchandisers pinned needs a slot",
    "exposure_plans": "an exposure plan took it off the page",
}
"""What changes a finished page, and what it does to an item that was on it."""


@dataclass(frozen=True, slots=True)
class Rank:
    """Rank of an item in what a stage or a channel passed on, from 1; 0 = not among it."""

    stage: str
    rank: int
    of: int


@dataclass(frozen=True, slots=True)
class ChannelFind:
    """How one channel recalled an item: rank, its own score, and the dense item that caused it (0 = none)."""

    rank: Rank
    score: float
    trigger: int


@dataclass(frozen=True, slots=True)
class Loss:
    """The stage that an item did not pass, why, and the dense item that passed last instead (0 = none)."""

    stage: str
    because: str
    to: int = 0


@dataclass(frozen=True, slots=True)
class Journey:
    """One item's way. `position`: on the page, from 1; 0 = lost, and `loss` says where."""

    item: int
    position: int
    channels: tuple[ChannelFind, ...]
    ranks: tuple[Rank, ...]
    scores: dict[str, float]
    loss: Loss | None


def journey(item: int, seen: Observation, channel_names: Sequence[str], page_size: int) -> Journey:
    """The way of a dense item (0 = unknown to the catalogue) through `seen`.

    `channel_names`: of `seen.recalled`, in their order.
    """
    if item == 0:
        return Journey(0, 0, (), (), {}, Loss(UNKNOWN, "the catalogue in service does not know the item"))
    channels = tuple(
        find
        for name, recalled in zip(channel_names, seen.recalled, strict=False)
        if (find := _find(item, name, recalled)) is not None
    )
    ranks = tuple(Rank(step.stage, _rank(item, step), step.items.size) for step in seen.steps)
    present = [index for index, each in enumerate(ranks) if each.rank]
    position = ranks[-1].rank if ranks else 0
    loss = None if position else _loss(seen, channels, ranks, present, page_size)
    end = len(ranks) if position else max(present, default=-1) + 2
    return Journey(item, position, channels, ranks[:end], _scores(item, seen), loss)


def _find(item: int, name: str, recalled: RecalledColumns) -> ChannelFind | None:
    (at,) = np.nonzero(recalled.items == item)
    if not at.size:
        return None
    row = int(at[0])
    return ChannelFind(
        Rank(name, row + 1, recalled.items.size), float(recalled.scores[row]), int(recalled.triggers[row])
    )


def _rank(item: int, step: Step) -> int:
    (at,) = np.nonzero(step.items == item)
    return int(at[0]) + 1 if at.size else 0


def _scores(item: int, seen: Observation) -> dict[str, float]:
    (at,) = np.nonzero(seen.ranked.items == item)
    if not at.size:
        return {}
    row = int(at[0])
    scores = {"score": float(seen.ranked.score[row])}
    return scores | {name: float(column[row]) for name, column in seen.ranked.columns.items()}


def _loss(
    seen: Observation,
    channels: Sequence[ChannelFind],
    ranks: Sequence[Rank],
    present: Sequence[int],
    page_size: int,
) -> Loss:
    if not present:
        if not channels:
            return Loss(BEFORE_FUSION, "no channel of the scene recalled it")
        best = min(channels, key=lambda find: find.rank.rank).rank
        fused = seen.steps[0].items
        return Loss(
            "fusion",
            f"{best.stage} recalled it as number {best.rank} of {best.of}; fusion passed on {fused.size} of "
            "what the channels recalled, and it was not among them",
            _last(fused),
        )
    lost = present[-1] + 1
    stage, before = seen.steps[lost], ranks[lost - 1]
    if stage.stage.startswith("filter:"):
        return Loss(stage.stage, f"the filter {stage.stage.removeprefix('filter:')} removed it")
    if stage.stage in _TAKES_SLOTS:
        return Loss(stage.stage, f"it was number {before.rank}, and {_TAKES_SLOTS[stage.stage]}")
    if stage.stage != "page":
        return Loss(
            stage.stage,
            f"it was number {before.rank} of {before.of}, of which {stage.items.size} go on",
            _last(stage.items),
        )
    return _off_the_page(stage, ranks[:lost], page_size)


def _off_the_page(page: Step, ranks: Sequence[Rank], page_size: int) -> Loss:
    """Below the page: because of the reranker that moved it there, or because it ranked there all along."""
    last = _last(page.items)
    for before, after in pairwise(ranks):
        if after.stage.startswith("rerank:") and 0 < before.rank <= page_size < after.rank:
            return Loss(
                after.stage,
                f"it was number {before.rank}, and {after.stage} moved it to number {after.rank}, below the "
                f"{page_size} slots of the page",
                last,
            )
    return Loss("page", f"it came to number {ranks[-1].rank}, and the page has {page_size} slots", last)


def _last(items: np.ndarray) -> int:
    return int(items[-1]) if items.size else 0
