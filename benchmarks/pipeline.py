"""What the stage framework costs: a request through the runner against the same stages called in line.

Also: fusion and scatter against plain-Python versions of the same rules. Each pair is timed alternately in
one process, so the ratios hold under whatever else the machine does.

Run `python -m benchmarks.pipeline [--rounds 300] [--seed 0] [--json build/benchmarks/pipeline.json]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from pipeline import runner
from pipeline.candidates import Candidates, Float32, Int32
from pipeline.plan import ChannelSlot, Pipeline, Ranking
from pipeline.scatter_order import scatter
from pipeline.stages import Model, RecalledColumns
from router.fusion.quota import QuotaFusion, apportion
from router.rerank.scatter import Scatter
from snapshot.durable_files import write_durably

ITEMS = 50_000
PAGE_SIZE = 20
CANDIDATES = 300
SHARES = np.array([0.35, 0.25, 0.2, 0.1, 0.1])
RECALLED = 300


class Columns(NamedTuple):
    """A channel's answer."""

    items: Int32
    scores: Float32
    triggers: Int32
    missing: str = ""


@dataclass(frozen=True)
class ReadyChannel:
    """A channel that has its answer ready, so that only the framework's time is seen."""

    name: str
    answer: Columns

    async def recall(self, query: object, k: int) -> Columns:
        """The answer, whatever the query."""
        return self.answer


@dataclass(frozen=True)
class ColumnFilter:
    """Keeps items by a column bool[N+1]."""

    name: str
    column: np.ndarray

    def keep(self, query: object, candidates: Candidates) -> np.ndarray:
        """bool[n]."""
        return self.column[candidates.items]


class ColumnGroups:
    """Groups of candidates by columns int32[N+1]."""

    def __init__(self, *columns: np.ndarray) -> None:
        """`columns`: one per dimension."""
        self.columns = columns

    def __call__(self, scenes: Sequence[Candidates]) -> list[list[np.ndarray]]:
        """Per scene, int32[n] per dimension."""
        return [[column[candidates.items] for column in self.columns] for candidates in scenes]


@dataclass(frozen=True)
class ColumnScorer:
    """Scores items by a column float32[N+1]."""

    column: Float32

    async def score(self, query: object, candidates: Candidates) -> dict[str, Float32]:
        """One column float32[n]."""
        return {"score": self.column[candidates.items]}

    def model(self, query: object) -> Model:
        """A name."""
        return Model("column", "1")


def build(seed: int) -> Pipeline[object]:
    """A scene of five channels, four filters, a scorer and a scatter over made-up columns."""
    random = np.random.default_rng(seed)
    popular = random.zipf(1.3, size=ITEMS * 4) % ITEMS + 1

    def channel(name: str) -> ReadyChannel:
        items = random.permutation(np.unique(random.choice(popular, RECALLED * 4)))[:RECALLED].astype(
            np.int32
        )
        scores = -np.sort(-random.random(items.size).astype(np.float32))
        return ReadyChannel(name, Columns(items, scores, np.zeros(items.size, np.int32)))

    return Pipeline(
        name="benchmark",
        channels=tuple(ChannelSlot(channel(f"channel{i}"), RECALLED, 1000.0) for i in range(SHARES.size)),
        fusion=QuotaFusion(SHARES),
        filters=tuple(ColumnFilter(f"filter{i}", random.random(ITEMS + 1) > 0.03) for i in range(4)),
        ranking=Ranking(ColumnScorer(random.random(ITEMS + 1).astype(np.float32)), 1000.0),
        rerankers=(
            Scatter(
                ColumnGroups(  # type: ignore[arg-type]
                    random.integers(0, 40, ITEMS + 1).astype(np.int32),
                    random.integers(0, 300, ITEMS + 1).astype(np.int32),
                ),
                ((4, 2), (5, 2)),
            ),
        ),
        candidates=CANDIDATES,
    )


async def in_line(pipeline: Pipeline[object], query: object) -> Candidates:
    """The same stages called one after another, without deadlines, checks, trace or failure policy."""
    recalled = [await slot.channel.recall(query, slot.k) for slot in pipeline.channels]
    found = pipeline.fusion.fuse(recalled, math.ceil(pipeline.candidates * pipeline.oversample))
    for stage in pipeline.filters:
        found = found.take(stage.keep(query, found))
    found = found.take(slice(pipeline.candidates))
    assert isinstance(pipeline.ranking, Ranking)
    scorer = pipeline.ranking.scorer
    assert isinstance(scorer, ColumnScorer)
    scores = (await scorer.score(query, found))["score"]
    found = found.with_score(scores).take(np.argsort(-scores, kind="stable"))
    for reranker in pipeline.rerankers:
        found = found.take(reranker.order(query, found, PAGE_SIZE))
    return found.take(slice(PAGE_SIZE))


def fuse_in_python(recalled: Sequence[RecalledColumns], total: int) -> list[int]:
    """Quota fusion item by item; the items credited, by channel."""
    answers = [columns.items.tolist() for columns in recalled]
    taken: dict[int, int] = {}
    while len(taken) < total:
        alive = np.array([any(item not in taken for item in items) for items in answers])
        if not alive.any():
            break
        for i, quota in enumerate(apportion(total - len(taken), np.where(alive, SHARES, 0.0)).tolist()):
            for item in answers[i]:
                if quota == 0:
                    break
                if item not in taken:
                    taken[item] = i
                    quota -= 1
    for item in taken:
        taken[item] = sum(1 << i for i, items in enumerate(answers) if item in items)
    return list(taken)


def scatter_in_python(
    groups: Sequence[Int32], limits: Sequence[tuple[int, int]], count: int, page_size: int
) -> list[int]:
    """Scatter candidate by candidate."""
    columns = [column.tolist() for column in groups]
    page: list[int] = []
    left = list(range(count))
    while len(page) < page_size and left:

        def broken(candidate: int) -> list[bool]:
            return [
                column[candidate] != 0
                and sum(column[other] == column[candidate] for other in page[-(window - 1) :]) >= most
                for column, (window, most) in zip(columns, limits, strict=True)
            ]

        best = min(left, key=broken)
        left.remove(best)
        page.append(best)
    return page + left


async def alternate(rounds: int, *works: Callable[[], Awaitable[object]]) -> list[float]:
    """Median seconds of each of `works`, run in turns."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, seconds, strict=True):
            began = time.perf_counter()
            await work()
            times.append(time.perf_counter() - began)
    return [median(times) for times in seconds]


async def measure(rounds: int, seed: int) -> dict[str, dict[str, float]]:
    """Microseconds and ratios by subject."""
    pipeline = build(seed)
    recalled = [await slot.channel.recall(None, slot.k) for slot in pipeline.channels]
    total = math.ceil(CANDIDATES * pipeline.oversample)
    fused = pipeline.fusion.fuse(recalled, total).take(slice(CANDIDATES))
    reranker = pipeline.rerankers[0]
    assert isinstance(reranker, Scatter)
    (groups,) = reranker.groups([fused])

    async def run() -> Candidates:
        page = await runner.run(pipeline, None, PAGE_SIZE, time.monotonic() + 10.0, time.monotonic)
        return page.items

    async def line() -> Candidates:
        return await in_line(pipeline, None)

    async def fuse() -> list[int]:
        return list(pipeline.fusion.fuse(recalled, total).items.tolist())

    async def plain_fuse() -> list[int]:
        return fuse_in_python(recalled, total)

    async def spread() -> list[int]:
        return list(scatter(groups, reranker.limits, len(fused), 100).tolist())

    async def plain_spread() -> list[int]:
        return scatter_in_python(groups, reranker.limits, len(fused), 100)

    if (await run()).items.tolist() != (await line()).items.tolist():
        raise AssertionError("the runner and the stages in line disagree")
    if set(await fuse()) != set(await plain_fuse()) or await spread() != await plain_spread():
        raise AssertionError("a stage and its plain-Python version disagree")

    through, direct = await alternate(rounds, run, line)
    fast_fuse, slow_fuse = await alternate(max(rounds // 10, 3), fuse, plain_fuse)
    fast_spread, slow_spread = await alternate(max(rounds // 10, 3), spread, plain_spread)
    return {
        "runner against stages in line": compared(through, direct),
        "fusion against plain Python": compared(fast_fuse, slow_fuse),
        "scatter of 300 to 100 against plain Python": compared(fast_spread, slow_spread),
    }


def compared(ours: float, other: float) -> dict[str, float]:
    """Two medians in microseconds and their ratio."""
    return {
        "microseconds": round(ours * 1e6, 1),
        "other_microseconds": round(other * 1e6, 1),
        "ratio": round(ours / other, 3),
    }


def main() -> None:
    """Measures, prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/pipeline.json"))
    options = parser.parse_args()
    table = asyncio.run(measure(options.rounds, options.seed))
    print(f"{'':44}{'µs':>10}{'other µs':>12}{'ratio':>8}")
    for subject, row in table.items():
        print(f"{subject:44}{row['microseconds']:10}{row['other_microseconds']:12}{row['ratio']:8}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps(table, indent=2).encode())


if __name__ == "__main__":
    main()
