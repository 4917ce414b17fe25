"""Stages of a pipeline that does as it is told, for tests of the runner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipeline.candidates import Candidates, unscored
from pipeline.metrics import SideEffectOutcome
from pipeline.stages import Model
from pipeline.trace import StageRecord


class Columns(NamedTuple):
    items: np.ndarray
    scores: np.ndarray
    triggers: np.ndarray
    missing: str = ""


def columns(items: Sequence[int], triggers: Sequence[int] | None = None) -> Columns:
    count = len(items)
    return Columns(
        np.array(items, dtype=np.int32),
        np.linspace(1, 0, count, dtype=np.float32),
        np.array(triggers if triggers is not None else [0] * count, dtype=np.int32),
    )


@dataclass
class FixedChannel:
    """Recalls the first k of `items`, after `delay` seconds where that is not None."""

    name: str
    items: Sequence[int] = ()
    delay: float | None = None
    error: BaseException | None = None
    answer: Columns | None = None
    asked: list[int] = field(default_factory=list)
    cancelled: bool = False

    async def recall(self, query: object, k: int) -> Columns:
        self.asked.append(k)
        try:
            if self.delay is not None:
                await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error
        return columns(self.items[:k]) if self.answer is None else self.answer


class FirstComeFusion:
    """Channel after channel, each item once."""

    def fuse(self, recalled: Sequence[Columns], total: int) -> Candidates:
        bits: dict[int, int] = {}
        for bit, answer in enumerate(recalled):
            for item in answer.items.tolist():
                bits[item] = bits.get(item, 0) | 1 << bit
        items = np.array(list(bits)[:total], dtype=np.int32)
        return unscored(
            items,
            np.array(list(bits.values())[:total], dtype=np.uint32),
            np.ones(items.size, dtype=np.float32),
            np.zeros(items.size, dtype=np.int32),
        )


@dataclass
class RuleFilter:
    """Keeps the items for which `rule` holds."""

    name: str
    rule: Callable[[int], bool]
    error: Exception | None = None

    def keep(self, query: object, candidates: Candidates) -> np.ndarray:
        if self.error is not None:
            raise self.error
        return np.array([self.rule(item) for item in candidates.items.tolist()], dtype=np.bool_)


@dataclass
class RuleScorer:
    """Scores every item by `rule`."""

    rule: Callable[[int], float]
    delay: float | None = None
    error: BaseException | None = None
    answer: np.ndarray | None = None
    scored: list[int] = field(default_factory=list)

    async def score(self, query: object, candidates: Candidates) -> dict[str, np.ndarray]:
        self.scored.append(len(candidates))
        if self.delay is not None:
            await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            return {"score": self.answer}
        scores = [self.rule(item) for item in candidates.items.tolist()]
        return {"score": np.array(scores, dtype=np.float32)}

    def model(self, query: object) -> Model:
        return Model("rule", "7")


class RuleModel(RuleScorer):
    """The same as a model's scorer: one array instead of named columns."""

    async def score(self, query: object, candidates: Candidates) -> np.ndarray:  # type: ignore[override]
        return (await super().score(query, candidates))["score"]


@dataclass
class FixedOrder:
    """Orders as told: a function of the number of candidates."""

    name: str
    positions: Callable[[int], Sequence[int]]
    error: Exception | None = None

    def order(self, query: object, candidates: Candidates, page_size: int) -> np.ndarray:
        if self.error is not None:
            raise self.error
        return np.array(self.positions(len(candidates)), dtype=np.intp)


@dataclass
class RecordingMetrics:
    stages: list[tuple[str, StageRecord]] = field(default_factory=list)
    pages: list[tuple[str, int, int, tuple[str, ...]]] = field(default_factory=list)
    side_effects: list[tuple[str, str, SideEffectOutcome]] = field(default_factory=list)

    def stage(self, pipeline: str, record: StageRecord) -> None:
        self.stages.append((pipeline, record))

    def page(self, pipeline: str, page_size: int, filled: int, degraded: tuple[str, ...]) -> None:
        self.pages.append((pipeline, page_size, filled, degraded))

    def side_effect(self, pipeline: str, name: str, outcome: SideEffectOutcome, elapsed_ms: float) -> None:
        self.side_effects.append((pipeline, name, outcome))
