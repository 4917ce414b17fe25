"""The speed gates: the exported form against eager torch, and its forms against each other, on one thread."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from exporters.errors import ExportRefused
from exporters.runner import Feeds, Runner
from triton_repo.contract import CANDIDATES


@dataclass(frozen=True, slots=True)
class SpeedReport:
    """Candidates per second of both forms (shoppers, for a model without candidates), and their ratio."""

    exported_per_s: float
    torch_per_s: float
    ratio: float


def measure_speed(
    reference: Runner,
    exported: Runner,
    feeds: Feeds,
    *,
    rounds: int,
    timer: Callable[[], float] = time.perf_counter,
) -> SpeedReport:
    """Times both forms on the same request, in turn, so that a busy machine slows both; medians count."""
    rows = len(feeds[CANDIDATES] if CANDIDATES in feeds else next(iter(feeds.values())))
    spent: dict[str, list[float]] = {"torch": [], "exported": []}
    with _one_thread():
        for _ in range(3):
            reference(feeds)
            exported(feeds)
        for _ in range(rounds):
            for name, run in (("torch", reference), ("exported", exported)):
                start = timer()
                run(feeds)
                spent[name].append(timer() - start)
    torch_s, exported_s = statistics.median(spent["torch"]), statistics.median(spent["exported"])
    return SpeedReport(rows / exported_s, rows / torch_s, torch_s / exported_s)


def measure_in_turns(
    runs: Mapping[str, Runner],
    requests: Sequence[Feeds],
    *,
    rounds: int,
    timer: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each form in each round, all forms on the same request in turn; three rounds warm up.

    Round r takes request r modulo their number, and begins with another form than the round before: none
    always comes after the same neighbour has filled the caches.
    """
    spent: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for turn in range(-3, rounds):
        feeds = requests[turn % len(requests)]
        first = turn % len(order)
        for name in order[first:] + order[:first]:
            start = timer()
            runs[name](feeds)
            if turn >= 0:
                spent[name].append(timer() - start)
    return spent


def relative_speeds(
    spent: Mapping[str, Sequence[float]], plain: str, rows: int
) -> dict[str, tuple[float, float]]:
    """Of every form: rows per second, and times the speed of the form `plain`.

    Both by the lower quartile of its rounds: whatever else runs on the machine only ever adds time.
    """
    quick = {name: float(np.percentile(own, 25)) for name, own in spent.items()}
    return {name: (rows / own, quick[plain] / own) for name, own in quick.items()}


def check_speed(model: str, report: SpeedReport, minimum_ratio: float) -> None:
    """Raises ExportRefused where the exported form is slower than `minimum_ratio` times eager torch."""
    if report.ratio < minimum_ratio:
        raise ExportRefused(
            f"{model} runs at {report.ratio:.2f} times the speed of eager torch ({report.exported_per_s:,.0f}"
            f" against {report.torch_per_s:,.0f} rows/s); at least {minimum_ratio:g} is wanted"
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
