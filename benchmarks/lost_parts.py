"""What a lost part of a split request costs the page, by how parts are dealt and where its candidates go.

Shoppers of the sample at its test cut, their fused candidates scored by the newest BST of the workspace. Some
of four parts are then taken as lost, each combination once, and the page is compared with the one that all
scores give (`kept`: share of its 20 items; `worst`: with the unluckiest parts lost) and with what the shopper
took later (NDCG@20). The channel `mind` is left out. Ways to go on with what was not scored: keep the recall
position, sink below all, rise above all, or take the mean score of the nearest scored neighbours in recall
order.

Run `python -m benchmarks.lost_parts [--workspace build/sample] [--users 400] [--seed 0]`; the table is also
written to build/benchmarks/lost_parts.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import onnxruntime as ort
import polars as pl

from evaluation.queries import TestShopper, test_shoppers
from foundation.statistics.ranking_metrics import ndcg
from models.interaction_log import InteractionLog
from pipeline.guard import LATE
from pipeline.scoring import Scores
from recall.build import build_channels, open_channels
from recall.channel import BuildSource, Services
from recall.mind import MindChannelSettings
from recall.query import Query
from recall.settings import RecallSettings
from router.fusion.quota import fuse
from router.ranking.shopper import history_inputs
from snapshot.dataset import Dataset, DatasetStore
from snapshot.durable_files import write_durably
from triton_repo.repository import ModelRepository

SHARES = {"again": 0.6, "ranki2i": 0.2, "category_hot": 0.1, "hot": 0.1}
CANDIDATES = 300
PARTS = 4
PAGE = 20

Order = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Scores float32[n] and which of them are known bool[n] to positions, best first."""


def keep_position(values: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """The router's order."""
    return Scores(np.where(scored, values, np.nan).astype(np.float32), scored, PARTS, {0: LATE}).order()


def sink(values: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """What was not scored last."""
    return np.argsort(-np.where(scored, values, -np.inf), kind="stable")


def rise(values: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """What was not scored first."""
    return np.argsort(-np.where(scored, values, np.inf), kind="stable")


def neighbours(values: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """What was not scored where the mean of its nearest scored neighbours in recall order puts it."""
    (known,) = np.nonzero(scored)
    behind = np.searchsorted(known, np.arange(values.size)).clip(1, known.size - 1)
    guess = (values[known[behind - 1]] + values[known[behind]]) / 2
    return np.argsort(-np.where(scored, values, guess), kind="stable")


ORDERS: dict[str, Order] = {
    "keep position": keep_position,
    "neighbours' score": neighbours,
    "sink": sink,
    "rise": rise,
}


def part_of(dealing: str, count: int) -> np.ndarray:
    """The part int[n] of each candidate: dealt in turn, or in blocks of the recall order."""
    at = np.arange(count)
    return at % PARTS if dealing == "in turn" else at * PARTS // count


async def fused(
    dataset: Dataset, shoppers: Sequence[TestShopper], folder: Path, seed: int
) -> list[np.ndarray]:
    """Fused candidates int32[≤ 300] of each shopper, by channels built from before the test cut."""
    cut = dataset.manifest.cuts.test_from
    events = dataset.events().filter(pl.col("ts") < cut).collect()
    source = BuildSource(events, dataset.users(), dataset.catalogue, cut - 1, {}, seed)
    settings = RecallSettings(mind=MindChannelSettings(enabled=False))
    build_channels(source, folder, settings)

    async def embed_history(query: Query) -> np.ndarray:
        raise AssertionError("no channel of this benchmark asks for interests")

    channels = open_channels(folder, dataset.catalogue, Services(embed_history), settings)
    shares = np.array(list(SHARES.values()))
    answers = []
    for shopper in shoppers:
        recalled = [await channels[name].recall(shopper.query, CANDIDATES) for name in SHARES]
        answers.append(fuse(recalled, shares, CANDIDATES).items)
    return answers


def scores_of(session: ort.InferenceSession, query: Query, items: np.ndarray) -> np.ndarray:
    """float32[n], by the exported graph."""
    feeds = {
        **history_inputs(query),
        "profile": query.profile_codes[None],
        "context": query.context_codes[None],
        "candidate_item": items,
        "candidate_row": np.zeros(items.size, np.int32),
    }
    (scores,) = session.run(["score"], feeds)
    return np.asarray(scores)


def measure(
    shoppers: Sequence[TestShopper], candidates: Sequence[np.ndarray], scores: Sequence[np.ndarray]
) -> list[dict[str, object]]:
    """A row per way to go on; means over shoppers and combinations of lost parts."""

    def row(way: str, dealing: str, lost: int, orders: Sequence[np.ndarray]) -> dict[str, object]:
        times = len(orders) // len(shoppers)
        kept, found = [], []
        for at, order in enumerate(orders):
            which = at // times
            whole = np.argsort(-scores[which], kind="stable")[:PAGE]
            hits = np.isin(candidates[which][order[:PAGE]], shoppers[which].targets)
            kept.append(np.isin(whole, order[:PAGE]).mean())
            found.append(ndcg(hits, [len(shoppers[which].targets)], PAGE)[0])
        return {
            "way": way,
            "dealt": dealing,
            "lost": lost,
            "kept": round(float(np.mean(kept)), 3),
            "worst": round(float(np.reshape(kept, (len(shoppers), times)).mean(axis=0).min()), 3),
            "ndcg@20": round(float(np.mean(found)), 4),
        }

    rows = [
        row("all scored", "", 0, [np.argsort(-values, kind="stable") for values in scores]),
        row("recall order", "", PARTS, [np.arange(values.size) for values in scores]),
    ]
    for lost in (1, 2):
        for dealing in ("in turn", "in blocks"):
            for way, order in ORDERS.items():
                orders = [
                    order(values, ~np.isin(part_of(dealing, values.size), gone))
                    for values in scores
                    for gone in combinations(range(PARTS), lost)
                ]
                rows.append(row(way, dealing, lost, orders))
    return rows


def main() -> None:
    """Measures, prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=Path("build/sample"))
    parser.add_argument("--users", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/lost_parts.json"))
    options = parser.parse_args()
    dataset = DatasetStore(options.workspace / "datasets").open_current()
    shoppers = test_shoppers(
        InteractionLog.from_dataset(dataset),
        dataset.users(),
        dataset.manifest.cuts.test_from,
        options.users,
        RecallSettings().triggers,
        np.random.default_rng(options.seed),
    )
    repository = ModelRepository(options.workspace / "triton")
    graph = repository.version_folder("bst", repository.versions("bst")[-1]) / "model.onnx"
    one_thread = ort.SessionOptions()
    one_thread.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, one_thread, providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory(prefix="lost-parts-") as folder:
        candidates = asyncio.run(fused(dataset, shoppers, Path(folder), options.seed))
    scores = [
        scores_of(session, shopper.query, items) for shopper, items in zip(shoppers, candidates, strict=True)
    ]
    rows = measure(shoppers, candidates, scores)
    print(f"{len(shoppers)} shoppers, {np.mean([items.size for items in candidates]):.0f} candidates each")
    print(f"{'lost':>5}  {'dealt':11}{'way':20}{'kept':>8}{'worst':>8}{'NDCG@20':>10}")
    for row in rows:
        print(
            f"{row['lost']:>5}  {row['dealt']:11}{row['way']:20}{row['kept']:>8}{row['worst']:>8}"
            f"{row['ndcg@20']:>10}"
        )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps({"shoppers": len(shoppers), "rows": rows}, indent=2).encode())


if __name__ == "__main__":
    main()
