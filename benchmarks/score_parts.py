"""Does scoring a request by several calls at once pay? Through real Tritons, everything in turns.

A request's candidates are dealt to 1, 2 and 4 calls on a Triton with 1 and one with 2 instances of the model,
as the router does it, for one caller and for four at a time. Every round measures every way once, so what
else the machine does slows all alike; ratios are medians over the rounds, above 1 where splitting is faster.

Run `python -m benchmarks.score_parts [--workspace build/sample] [--rounds 30] [--seed 0]`; the table is also
written to build/benchmarks/score_parts.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from features.context import encode_context
from pipeline.candidates import Candidates, unscored
from pipeline.scoring import Split, score_in_parts
from recall.query import Query
from router.ranking.settings import BreakerSettings, RankingSettings
from router.ranking.triton_client import TritonClient
from router.ranking.triton_scorer import TritonScorer
from snapshot.durable_files import write_durably
from snapshot.event_codes import VIEW
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings, TritonSettings

MODEL = "bst"
CANDIDATES = (300, 1000, 5000)
PARTS = (1, 2, 4)
INSTANCES = (1, 2)
CALLERS = (1, 4)
HISTORY = 50
PATIENCE_S = 60.0
NOW = 1_700_000_000


@dataclass(frozen=True)
class Way:
    """One way to score requests: so many candidates, parts, instances of the model, and callers at a time."""

    candidates: int
    parts: int
    instances: int
    callers: int


@dataclass(frozen=True)
class Row:
    """What a way took.

    p50_ms, p99_ms  one request, milliseconds
    per_s           candidates scored per second, by all callers
    faster          how many times faster than one call on one instance, by the median of the rounds' ratios
    """

    candidates: int
    parts: int
    instances: int
    callers: int
    p50_ms: float
    p99_ms: float
    per_s: float
    faster: float


@contextmanager
def tritons(source: ModelRepository, scratch: Path) -> Iterator[dict[int, TritonServer]]:
    """A started Triton by number of instances, each over a copy of the newest version of `source`."""
    versions = source.versions(MODEL)
    if not versions:
        raise SystemExit(f"{source.models_folder} has no version of {MODEL}; build the workspace first")
    with ExitStack() as stack:
        servers = {}
        for instances in INSTANCES:
            repository = ModelRepository(scratch / f"instances-{instances}")
            staged = repository.stage(MODEL)
            shutil.copytree(source.version_folder(MODEL, versions[-1]), staged, dirs_exist_ok=True)
            repository.add_version(MODEL, staged)
            models = {MODEL: ModelSettings(instances=instances)}
            server = TritonServer(
                repository, scratch / f"triton-{instances}.log", TritonSettings(models=models)
            )
            server.start()
            stack.callback(server.stop)
            servers[instances] = server
        yield servers


def requests(items: int, candidates: int, count: int, seed: int) -> list[tuple[Query, Candidates]]:
    """`count` shoppers with a full history and candidates drawn from items 1…`items`."""
    random = np.random.default_rng(seed)
    return [(_shopper(items, random), _candidates(items, candidates, random)) for _ in range(count)]


def _shopper(items: int, random: np.random.Generator) -> Query:
    history = random.integers(1, items + 1, HISTORY, dtype=np.int32)
    return Query(
        scene="home",
        now=NOW,
        history_items=history,
        history_events=np.full(HISTORY, VIEW, np.uint8),
        history_ts=NOW - 60 * np.arange(1, HISTORY + 1, dtype=np.int64),
        context_codes=encode_context(NOW),
        model_versions={MODEL: "1"},
    )


def _candidates(items: int, count: int, random: np.random.Generator) -> Candidates:
    drawn = random.integers(1, items + 1, count, dtype=np.int32)
    return unscored(drawn, np.ones(count, np.uint32), np.zeros(count, np.float32), np.zeros(count, np.int32))


async def score(scorer: TritonScorer, parts: int, request: tuple[Query, Candidates]) -> np.ndarray:
    """Scores of one request in `parts` calls; RuntimeError where one is lost."""
    query, candidates = request
    split = Split(-(-len(candidates) // parts), parts)
    until = time.monotonic() + PATIENCE_S
    scores = await score_in_parts("ranking", scorer, split, query, candidates, until, time.monotonic)
    if scores.outages:
        raise RuntimeError(scores.detail)
    return scores.values


async def measure(servers: dict[int, TritonServer], items: int, rounds: int, seed: int) -> list[Row]:
    """A row per way; the scores of all ways of a request agree, or RuntimeError."""
    ways = [Way(*way) for way in product(CANDIDATES, PARTS, INSTANCES, CALLERS)]
    asked = {count: requests(items, count, max(CALLERS), seed) for count in CANDIDATES}
    clients = {
        instances: TritonClient(RankingSettings(url=server.grpc_url, breaker=BreakerSettings(timeouts=0)))
        for instances, server in servers.items()
    }
    settings = RankingSettings(score_timeout_ms=PATIENCE_S * 1000)
    scorers = {instances: TritonScorer(client, settings, MODEL) for instances, client in clients.items()}
    request_s: dict[Way, list[list[float]]] = {way: [] for way in ways}
    round_s: dict[Way, list[float]] = {way: [] for way in ways}

    async def caller(way: Way, number: int) -> list[float]:
        seconds = []
        for _ in range(_repeats(way)):
            began = time.perf_counter()
            await score(scorers[way.instances], way.parts, asked[way.candidates][number])
            seconds.append(time.perf_counter() - began)
        return seconds

    try:
        await _check_agreement(scorers, asked)
        for number in range(rounds):
            turned = number % len(ways)
            for way in (*ways[turned:], *ways[:turned]):
                began = time.perf_counter()
                answers = await asyncio.gather(*(caller(way, number) for number in range(way.callers)))
                round_s[way].append((time.perf_counter() - began) / (_repeats(way) * way.callers))
                request_s[way].append([second for seconds in answers for second in seconds])
    finally:
        for client in clients.values():
            await client.close()
    return [_row(way, request_s, round_s) for way in ways]


def _repeats(way: Way) -> int:
    """Requests of one caller in a round: more where they are short."""
    return max(1, 2000 // way.candidates)


async def _check_agreement(
    scorers: dict[int, TritonScorer], asked: dict[int, list[tuple[Query, Candidates]]]
) -> None:
    for some in asked.values():
        for request in some:
            whole = await score(scorers[1], 1, request)
            for instances, parts in product(INSTANCES, PARTS):
                other = await score(scorers[instances], parts, request)
                if not np.allclose(whole, other, rtol=0, atol=1e-5):
                    raise RuntimeError(
                        f"{parts} parts on {instances} instances score otherwise than one call"
                    )


def _row(way: Way, request_s: dict[Way, list[list[float]]], round_s: dict[Way, list[float]]) -> Row:
    def typical(way: Way) -> np.ndarray:
        return np.array([np.median(seconds) for seconds in request_s[way]])

    plain = Way(way.candidates, 1, 1, way.callers)
    every = np.concatenate(request_s[way])
    return Row(
        **asdict(way),
        p50_ms=round(float(np.percentile(every, 50)) * 1000, 2),
        p99_ms=round(float(np.percentile(every, 99)) * 1000, 2),
        per_s=round(way.candidates / float(np.median(round_s[way]))),
        faster=round(float(np.median(typical(plain) / typical(way))), 3),
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [
        f"{'n':>6}{'callers':>9}{'instances':>11}{'parts':>7}"
        f"{'p50 ms':>9}{'p99 ms':>9}{'n/s':>10}{'ratio':>8}"
    ]
    for row in sorted(rows, key=lambda row: (row.candidates, row.callers, row.instances, row.parts)):
        lines.append(
            f"{row.candidates:6}{row.callers:9}{row.instances:11}{row.parts:7}{row.p50_ms:9.2f}"
            f"{row.p99_ms:9.2f}{row.per_s:10.0f}{row.faster:8.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Starts the servers, measures, prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=Path("build/sample"))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/score_parts.json"))
    options = parser.parse_args()
    source = ModelRepository(options.workspace / "triton")
    with (
        tempfile.TemporaryDirectory(prefix="score-parts-") as scratch,
        tritons(source, Path(scratch)) as servers,
    ):
        items = source.manifest(MODEL, source.versions(MODEL)[-1]).items
        rows = asyncio.run(measure(servers, items, options.rounds, options.seed))
    print(table(rows))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    result = {"cores": os.cpu_count(), "rounds": options.rounds, "rows": [asdict(row) for row in rows]}
    write_durably(options.json, json.dumps(result, indent=2).encode())


if __name__ == "__main__":
    main()
