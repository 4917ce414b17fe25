"""What weights of classes give: a forest and a pointwise MLP on logs, with and without them.

On the sample and Taobao, as the logs are, and with a simulated drift: of the negatives of each training point
a part is left out that grows from none at first to three quarters in the end, where validation and test are.
Log loss is of the scores as they are, and of scores that Platt scaling on the validation range has made
probabilities; intervals are a bootstrap over shoppers, of the same points, to the row without weights.

Run `python -m benchmarks.class_weights [--only sample] [--seed 1]`; needs the extra `rankers`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.public_data import dataset_of
from evaluation.calibration import fit_platt
from evaluation.rankers.log_examples import LogSizes, log_examples
from foundation.statistics.bootstrap import grouped_interval
from models.class_weights import ClassWeightSettings
from models.rankers.examples import Examples, Float32, Float64, LearningRanges, Ranges
from models.rankers.forest import fit_forest
from models.rankers.losses import pointwise
from models.rankers.measure import ndcg_by_query
from models.rankers.mlp import fit_mlp
from models.rankers.settings import ForestNetworkSettings, MlpNetworkSettings, ranker_training

SETS = ("sample", "taobao")
WEIGHTS: Mapping[str, ClassWeightSettings] = {
    "none": ClassWeightSettings(),
    "drift, 1 day": ClassWeightSettings(follow_drift=True, half_life_days=1),
    "drift, 7 days": ClassWeightSettings(follow_drift=True, half_life_days=7),
    "positives x 0.5": ClassWeightSettings(positive=0.5),
    "positives x 2": ClassWeightSettings(positive=2),
    "positives x 5": ClassWeightSettings(positive=5),
}
NEGATIVES = 15
_KEPT_IN_THE_END = 0.25
Probabilities = Callable[[Examples], Float64]


def main() -> None:
    """Measures and prints a table for each set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=SETS, default=SETS, help="sets")
    parser.add_argument("--workspace", type=Path, default=Path("build/benchmarks/data"), help="of the logs")
    parser.add_argument("--trees", type=int, default=60, help="of the forest")
    parser.add_argument("--seed", type=int, default=1, help="of points, candidates and training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.only:
        dataset = dataset_of(name, options.workspace, options.seed)
        if dataset is None:
            print(f"{name}: its files are not there, so it is left out")
            continue
        sizes = LogSizes(negatives=NEGATIVES, test_negatives=NEGATIVES, spare_negatives=0)
        ranges = log_examples(dataset, sizes, options.seed)
        for title, each in ((name, ranges), (f"{name}, simulated drift", drifting(ranges, options.seed))):
            print_table(title, each, options.trees, options.seed)


def drifting(ranges: Ranges, seed: int) -> Ranges:
    """The same with fewer and fewer negatives; validation and test have as few as training has in the end."""
    random = np.random.default_rng(seed)

    def thinned(part: Examples, kept: Float64) -> Examples:
        rows = (part.grades > 0) | (random.random(part.grades.size) < kept[part.query])
        return replace(part, inputs=part.inputs[rows], grades=part.grades[rows], query=part.query[rows])

    assert ranges.train.moment is not None
    # Points of training are in order of time.
    falling = np.linspace(1, _KEPT_IN_THE_END, ranges.train.unit.size)
    valid, test = (
        thinned(part, np.full(part.unit.size, _KEPT_IN_THE_END)) for part in (ranges.valid, ranges.test)
    )
    return replace(ranges, train=thinned(ranges.train, falling), valid=valid, test=test)


def forest(ranges: LearningRanges, weights: Float32 | None, trees: int, seed: int) -> Probabilities:
    """The forest's scores."""
    return fit_forest(ranges, ForestNetworkSettings(trees=trees), seed, weights).scores


def mlp(ranges: LearningRanges, weights: Float32 | None, trees: int, seed: int) -> Probabilities:
    """The pointwise MLP's probabilities."""
    del trees
    training = ranker_training().model_copy(update={"seed": seed})
    network, _ = fit_mlp(ranges, pointwise, MlpNetworkSettings(), training, weights=weights)

    def probabilities(examples: Examples) -> Float64:
        return np.asarray(1 / (1 + np.exp(-network.scores(examples))), np.float64)

    return probabilities


def losses(examples: Examples, probabilities: Float64) -> Float64:
    """Log loss of each query's candidates, float64[q]."""
    drawn = np.clip(probabilities, 1e-6, 1 - 1e-6)
    each = -np.log(np.where(examples.relevant, drawn, 1 - drawn))
    sums: Float64 = np.bincount(examples.query, each) / np.maximum(examples.sizes, 1)
    return sums


def print_table(title: str, ranges: Ranges, trees: int, seed: int) -> None:
    """Prints a row for each ranker and weighting."""
    rates = [float(part.relevant.mean()) for part in (ranges.train, ranges.valid, ranges.test)]
    print(f"\n{title}: positives {rates[0]:.3f} in training, {rates[1]:.3f} validation, {rates[2]:.3f} test")
    heads = ("valid loss", "test loss (change)", "test, scaled", "valid NDCG", "test NDCG (change)")
    print(f"{'':<26}" + "".join(f"{head:<28}" for head in heads))
    for ranker, fit in (("forest", forest), ("MLP", mlp)):
        without: dict[str, NDArray[np.float64]] = {}
        for name, settings in WEIGHTS.items():
            fitted = fit(ranges, ranges.train.weights(settings), trees, seed)
            valid, test = fitted(ranges.valid), fitted(ranges.test)
            scaled = fit_platt(ranges.valid.relevant, _log_odds(valid))(_log_odds(test))
            found = {
                "loss": losses(ranges.test, test),
                "scaled": losses(ranges.test, scaled),
                "ndcg": ndcg_by_query(ranges.test, test),
            }
            without = without or found
            valid_loss = float(losses(ranges.valid, valid).mean())
            valid_ndcg = float(np.nanmean(ndcg_by_query(ranges.valid, valid)))
            columns = (
                f"{valid_loss:.4f}",
                _beside(found["loss"], without["loss"], ranges.test.unit),
                _beside(found["scaled"], without["scaled"], ranges.test.unit),
                f"{valid_ndcg:.4f}",
                _beside(found["ndcg"], without["ndcg"], ranges.test.unit),
            )
            print(f"{ranker + ', ' + name:<26}" + "".join(f"{text:<28}" for text in columns), flush=True)


def _log_odds(probabilities: Float64) -> Float64:
    drawn = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(drawn / (1 - drawn)), np.float64)


def _beside(found: Float64, without: Float64, units: NDArray[np.int64]) -> str:
    known = ~np.isnan(found) & ~np.isnan(without)
    change = (found - without)[known]
    if not change.any():
        return f"{found[known].mean():.4f}"
    low, high = grouped_interval(change, units[known], np.random.default_rng(0), draws=500)
    return f"{found[known].mean():.4f} ({low:+.4f} to {high:+.4f})"


if __name__ == "__main__":
    main()
