"""Compares the online ranker with Vowpal Wabbit on simulated clicks: log loss, AUC and samples a second.

Shoppers like some categories, items differ in charm, and half of the shoppers change their taste half-way.
Every ranker predicts each sample before it learns it (progressive validation) from the same hashed inputs;
the truth gives what could be had at best. Simulated: the clicks follow a logistic model of shopper × category
and item.

Run `python -m benchmarks.online_rankers [--samples 200000] [--seed 1]`; Vowpal Wabbit is the extra `peers`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from learning.ranker.ftrl import Ftrl
from learning.ranker.settings import OnlineRankerSettings
from learning.ranker.validation import auc, log_loss
from state.live_model.inputs import Inputs, RankedRows, hashed_inputs

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

SHOPPERS, ITEMS, CATEGORIES = 500, 2_000, 40
PER_MINUTE = 200
BITS = 20
VOWPAL_WABBIT = {
    "vw, default (adaptive SGD)": "",
    "vw --ftrl": "--ftrl --ftrl_alpha 0.3 --ftrl_beta 1",
    "vw --coin": "--coin",
}


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=200_000, help="simulated impressions")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation")
    options = parser.parse_args()
    inputs, clicked, truth, ticks = simulated(options.samples, options.seed)
    print(f"{options.samples:,} samples, {clicked.mean():.1%} clicked")
    print(f"{'':<30}{'log loss':>10}{'AUC':>8}{'AUC after':>11}{'samples/s':>11}")
    row("truth", truth, clicked, 0.0)
    for hours in (24.0, 2.0):
        settings = OnlineRankerSettings(bits=BITS, half_life_hours=hours)
        learner = Ftrl(settings)
        began = time.process_time()
        predicted = learner.learn(inputs, clicked, ticks)
        row(f"online ranker, half-life {hours:g} h", predicted, clicked, time.process_time() - began)
    if find_spec("vowpalwabbit") is None:
        print("Vowpal Wabbit is not installed: pip install vowpalwabbit, or the extra `peers`")
        return
    for name, arguments in VOWPAL_WABBIT.items():
        began = time.process_time()
        predicted = np.fromiter(vowpal_wabbit(inputs, clicked, arguments), float, clicked.size)
        row(name, predicted, clicked, time.process_time() - began)


def row(name: str, log_odds: Floats, clicked: Bools, taken_s: float) -> None:
    """Prints one line; `after`: the eighth of the samples that follows the change of taste."""
    half = clicked.size // 2
    after = slice(half, half + clicked.size // 8)
    speed = f"{clicked.size / taken_s:>11,.0f}" if taken_s else ""
    print(
        f"{name:<30}{log_loss(log_odds, clicked):>10.4f}{auc(log_odds, clicked):>8.4f}"
        f"{auc(log_odds[after], clicked[after]):>11.4f}{speed}"
    )


def simulated(count: int, seed: int) -> tuple[Inputs, Bools, Floats, NDArray[np.int64]]:
    """Hashed inputs, labels, true log-odds and minutes of impressions."""
    random = np.random.default_rng(seed)
    shoppers = random.integers(SHOPPERS, size=count)
    items = np.minimum(random.zipf(1.2, count) - 1, ITEMS - 1)
    categories = items % CATEGORIES
    tastes = random.normal(0, 1.5, (2, SHOPPERS, CATEGORIES))
    tastes[1, ::2] = tastes[0, ::2]
    charm = random.normal(0, 0.7, ITEMS)
    phase = (np.arange(count) >= count // 2).astype(int)
    positions = random.integers(1, 11, count)
    truth = -2.5 + tastes[phase, shoppers, categories] + charm[items] - 0.1 * positions
    clicked = random.random(count) < 1 / (1 + np.exp(-truth))
    ticks = np.arange(count) // PER_MINUTE + 1
    rows = RankedRows(
        items.astype(np.uint64) + np.uint64(1),
        categories.astype(np.uint64) + np.uint64(1),
        shoppers.astype(np.uint64) + np.uint64(1),
        np.ones(count, np.uint64),
        ticks // 60 % 24,
        positions.astype(np.int32),
    )
    return hashed_inputs(rows, BITS), clicked, truth, ticks


def vowpal_wabbit(inputs: Inputs, clicked: Bools, arguments: str) -> Iterator[float]:
    """The log-odds that Vowpal Wabbit gives each sample before it learns it, from the same inputs."""
    from vowpalwabbit import Workspace

    workspace = Workspace(f"--loss_function logistic -b {BITS} --noconstant --quiet {arguments}")
    learn: Callable[[str], None] = workspace.learn
    for active, label in zip(inputs.tolist(), clicked.tolist(), strict=True):
        features = " ".join(str(each) for each in active if each)
        yield float(workspace.predict(f"|a {features}"))
        learn(f"{1 if label else -1} |a {features}")
    workspace.finish()


if __name__ == "__main__":
    main()
