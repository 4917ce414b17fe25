"""How everything grows with a shop: `make bench-scale`.

    python -m benchmarks.scale [--items 10000 100000 1000000 10000000] [--folder build/scale]

A seeded log with the shape of real ones (`benchmarks.scale_log`) is written, ingested, trained on, built into
a snapshot and served at each size. Each step is a process of its own, and a step that is done is not done
again: an interrupted series goes on where it ended. Every figure is printed as a curve with its exponent, the
slope in log-log coordinates (1: linear), and all are written to build/benchmarks/scale.json.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.scale_place import Order, Place
from benchmarks.scale_steps import STEPS
from shopfront.workspace import PROJECT
from snapshot.durable_files import write_durably

RESULT = PROJECT / "build" / "benchmarks" / "scale.json"
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
_FURTHER_TO = 1_000_000
"""Items up to which the channels are built that no shop has unless it enables them."""
_LOOK_S = 0.25
"""Seconds between two looks at what a step holds."""
_SMALL = {"seconds": 0.5, "s": 0.001, "cpu_s": 0.5, "mib": 1.0, "peak_mib": 500.0}
"""By unit: a figure that is below it at every size says nothing of growth, and is not printed."""


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The slope of log value over log size by least squares; NaN where there are less than two above 0.

    Example:
        >>> round(exponent([10, 100, 1000], [3.0, 30.0, 300.0]), 6)
        1.0
    """
    points = [(math.log(n), math.log(v)) for n, v in zip(sizes, values, strict=True) if v > 0]
    if len(points) < 2:
        return math.nan
    x, y = (sum(each) / len(points) for each in zip(*points, strict=True))
    slope: float = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    return slope


def curves(figures: Mapping[int, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Figure → its values by size, and its exponents over all sizes and over the last two.

    figures: size → figure → value; a figure may be missing at some sizes.
    """
    found: dict[str, dict[str, Any]] = {}
    names = dict.fromkeys(name for size in sorted(figures) for name in figures[size])
    for name in names:
        sizes = [size for size in sorted(figures) if name in figures[size]]
        values = [figures[size][name] for size in sizes]
        found[name] = {
            "by_items": dict(zip(map(str, sizes), values, strict=True)),
            "exponent": exponent(sizes, values),
            "last_exponent": exponent(sizes[-2:], values[-2:]),
        }
    return found


def main() -> None:
    """Run what is missing, print the curves and write them as JSON."""
    given = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 120)
    failed: list[str] = []
    for items in given.items:
        order = Order(
            "",
            str((given.folder / str(items)).absolute()),
            items,
            given.seed,
            given.training_steps,
            given.requests,
        )
        for step in STEPS:
            if given.only and step not in given.only:
                continue
            if step.startswith("channel ") and items > _FURTHER_TO:
                continue
            fault = _run(replace(order, step=step), given.again, given.most_gib, console)
            if fault:
                failed.append(f"{items:,} items, {step}: {fault}")
                if not step.startswith("channel "):
                    # What follows needs what it makes.
                    break
        if given.remove:
            for part in ("shop", "workspace"):
                shutil.rmtree(Path(order.folder) / part, ignore_errors=True)
    report(given.folder, failed, console)


def _run(order: Order, again: bool, most_gib: float, console: Console) -> str:
    """Runs a step unless it is done; why it failed, or ""."""
    place = Place(order)
    result = place.result(order.step)
    if result.is_file() and not again:
        return ""
    place.folder.mkdir(parents=True, exist_ok=True)
    (place.folder / "order.json").write_text(json.dumps(asdict(order)))
    began = time.monotonic()
    log = place.folder / "steps.log"
    with log.open("a") as lines:
        running = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scale_steps", str(place.folder / "order.json")],
            stdout=lines,
            stderr=lines,
            cwd=PROJECT,
        )
        beyond = _ended_beyond(running, most_gib * 2**30)
    console.print(
        f"{order.items:>12,} items  {order.step:24} {time.monotonic() - began:8.1f} s", highlight=False
    )
    if beyond:
        return f"ended, since it held more than {most_gib:g} GiB"
    return "" if running.returncode == 0 else f"ended with status {running.returncode}, see {log}"


def _ended_beyond(running: subprocess.Popen[bytes], most: float) -> bool:
    """Waits for a process; ends it where it and its children hold more than so many bytes by themselves."""
    while True:
        try:
            running.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            if _own_bytes(psutil.Process(running.pid)) < most:
                continue
            running.terminate()
            running.wait()
            return True
        return False


def _own_bytes(process: psutil.Process) -> int:
    """Bytes that are no mapped files, of a process and those it started."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            memory = each.memory_info()
        except psutil.NoSuchProcess:
            continue
        total += memory.rss - memory.shared
    return total


def report(folder: Path, failed: Sequence[str], console: Console) -> None:
    """Prints and writes the curves of all sizes whose results lie below the folder."""
    figures: dict[int, dict[str, float]] = {}
    for path in sorted(folder.glob("*/steps/*.json")):
        result = json.loads(path.read_text())
        figures.setdefault(result["items"], {}).update(result["figures"])
    made = curves(figures)
    _show(console, made, sorted(figures))
    for line in failed:
        console.print(line, style="yellow", markup=False, highlight=False)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    content = {"sizes": sorted(figures), "failed": list(failed), "curves": made}
    write_durably(RESULT, json.dumps(content, indent=1).encode())
    console.print(f"written to {RESULT}", highlight=False)


def _show(console: Console, made: Mapping[str, Mapping[str, Any]], sizes: Sequence[int]) -> None:
    table = Table(title="How a shop grows; exponent 1: linear")
    table.add_column("figure")
    for size in sizes:
        table.add_column(f"{size:,}", justify="right")
    for name in ("exponent", "of the last two"):
        table.add_column(name, justify="right")
    for name, curve in made.items():
        values = curve["by_items"]
        if max(values.values()) < _SMALL.get(name.split()[-1], 0.0):
            continue
        cells = ("" if str(size) not in values else f"{values[str(size)]:,.3g}" for size in sizes)
        table.add_row(name, *cells, *(f"{curve[each]:.2f}" for each in ("exponent", "last_exponent")))
    console.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--folder", type=Path, default=PROJECT / "build" / "scale")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--training-steps", type=int, default=100, help="of each model")
    parser.add_argument("--requests", type=int, default=400, help="of each load on the served path")
    parser.add_argument("--most-gib", type=float, default=24.0, help="memory at which a step is ended")
    parser.add_argument("--only", nargs="+", choices=list(STEPS), metavar="STEP", help="these steps alone")
    parser.add_argument("--again", action="store_true", help="also steps that are done")
    parser.add_argument("--remove", action="store_true", help="files of a size once it is measured")
    return parser.parse_args()


if __name__ == "__main__":
    main()
