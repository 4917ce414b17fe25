"""Compares batch rankers on the sample, Taobao and judged searches: NDCG@10 with intervals, GAUC, seconds.

On a log every ranker orders the same candidates: what a shopper took at a moment, and items drawn at random,
half of them by popularity. Feature rankers read the inputs of the last layer of ranking, networks of ids read
ids and histories. On searches candidates have grades, and every query is measured once, by what was learned
from others (five folds). The last rows merge others. Intervals are a bootstrap over shoppers, or queries;
differences are of the same points, to the row named.

Run `python -m benchmarks.batch_rankers [--only sample] [--rankers BST DIN] [--seed 1]`; needs the extra
`rankers`. Tables are written to build/benchmarks/batch_rankers-<set>.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch

from benchmarks.public_data import SHARED, dataset_of
from evaluation.rankers.log_examples import LogSizes, log_examples
from evaluation.rankers.merge import merged
from evaluation.rankers.registry import RANKERS
from evaluation.rankers.search_examples import search_examples
from foundation.statistics.bootstrap import grouped_interval
from models.rankers.examples import Examples, Float64, Ranges
from models.rankers.measure import Measured, measure

OUT = Path("build/benchmarks")
SEARCHES = SHARED / "crowdflower_search" / "relevance.parquet"
SETS = ("sample", "taobao", "searches")
MERGES: Mapping[str, tuple[str, ...]] = {
    "merge of features": ("LR, L2", "boosted trees", "LambdaMART", "MLP, softmax"),
    "merge of features and ids": ("LambdaMART", "MLP, softmax", "two towers", "BST"),
}


def main() -> None:
    """Measures and prints a table for each set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=SETS, default=SETS, help="sets")
    parser.add_argument("--rankers", nargs="*", choices=list(RANKERS), default=list(RANKERS), help="rankers")
    parser.add_argument("--workspace", type=Path, default=Path("build/benchmarks/data"), help="of the logs")
    parser.add_argument("--train-points", type=int, default=LogSizes().train_points, help="of a log")
    parser.add_argument("--test-points", type=int, default=LogSizes().test_points, help="of a log")
    parser.add_argument("--seed", type=int, default=1, help="of points, candidates and training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = LogSizes(train_points=options.train_points, test_points=options.test_points)
    for name in options.only:
        folds = examples_of(name, options.workspace, sizes, options.seed)
        if not folds:
            print(f"{name}: its files are not there, so it is left out")
            continue
        rows = compare(folds, options.rankers, options.seed, print_progress)
        print_table(name, folds, rows)
        write(name, rows)


def examples_of(name: str, workspace: Path, sizes: LogSizes, seed: int) -> list[Ranges]:
    """The examples of one of `SETS`, those of logs as one fold; none where its files are absent."""
    if name == "searches":
        return search_examples(pl.read_parquet(SEARCHES), seed) if SEARCHES.is_file() else []
    dataset = dataset_of(name, workspace, seed)
    return [] if dataset is None else [log_examples(dataset, sizes, seed)]


def compare(
    folds: Sequence[Ranges], names: Sequence[str], seed: int, progress: Callable[[str, float], None]
) -> dict[str, tuple[Measured, float]]:
    """Each ranker's measures on the test ranges together, and the seconds of its training.

    Rankers that do not apply are left out.
    """
    test = Examples.together([fold.test for fold in folds])
    scored: dict[str, list[tuple[Float64, Float64]]] = {}
    rows = {}
    for name in names:
        kind = RANKERS[name]
        if kind.ids and any(fold.log is None for fold in folds):
            continue
        began = time.perf_counter()
        fitted = [kind.fit(fold, seed) for fold in folds]
        took = time.perf_counter() - began
        scored[name] = [
            (scores(fold.valid), scores(fold.test)) for scores, fold in zip(fitted, folds, strict=True)
        ]
        rows[name] = measure(test, np.concatenate([scores for _, scores in scored[name]])), took
        progress(name, took)
    for name, members in MERGES.items():
        if all(member in scored for member in members):
            together = [
                merged(
                    fold.valid,
                    [scored[member][index][0] for member in members],
                    fold.test,
                    [scored[member][index][1] for member in members],
                )
                for index, fold in enumerate(folds)
            ]
            rows[name] = measure(test, np.concatenate(together)), 0.0
    return rows


def difference(
    one: Measured, other: Measured, units: np.ndarray, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of `one` less `other` in NDCG, of the same queries, and its 95 % interval; `units` int64[q]."""
    change = one.ndcg_by_query - other.ndcg_by_query
    known = ~np.isnan(change)
    low, high = grouped_interval(change[known], units[known], np.random.default_rng(seed), draws=500)
    return float(change[known].mean()), low, high


def print_progress(name: str, took_s: float) -> None:
    """One line when a ranker is trained."""
    print(f"  {name}: {took_s:.0f} s", flush=True)


def print_table(name: str, folds: Sequence[Ranges], rows: Mapping[str, tuple[Measured, float]]) -> None:
    """Prints the rows, each beside the best one of all."""
    best = max(rows, key=lambda row: rows[row][0].ndcg)
    units = np.concatenate([fold.test.unit for fold in folds])
    first = folds[0]
    print(
        f"\n{name}: {first.train.unit.size:,} queries to learn from, {first.valid.unit.size:,} to choose by, "
        f"{units.size:,} to measure"
    )
    print(f"{'':<27}{'loss':<10} NDCG@10 (95 %)        less than {best:<24}{'GAUC':>7}{'s':>6}")
    for row, (found, took) in rows.items():
        less, low, high = difference(found, rows[best][0], units)
        beside = f"{less:+.3f} ({low:+.3f} to {high:+.3f})" if row != best else ""
        loss = RANKERS[row].loss if row in RANKERS else ""
        print(
            f"{row:<27}{loss:<10} {found.ndcg:.3f} ({found.low:.3f}–{found.high:.3f})  {beside:<34}"
            f"{found.gauc:>7.3f}{took:>6.0f}"
        )


def write(name: str, rows: Mapping[str, tuple[Measured, float]]) -> None:
    """Writes the table as JSON."""
    OUT.mkdir(parents=True, exist_ok=True)
    table = {
        row: {
            "ndcg@10": found.ndcg,
            "low": found.low,
            "high": found.high,
            "gauc": found.gauc,
            "seconds": took,
        }
        for row, (found, took) in rows.items()
    }
    (OUT / f"batch_rankers-{name}.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
