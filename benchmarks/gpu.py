"""Everything that a GPU is wanted for, in one run of under eight minutes: `make bench-gpu`.

The tests that need a GPU; candidates per second of the ranking network by torch eager, torch.compile, ONNX
Runtime's CUDA provider and TensorRT (FP16, INT8), beside ONNX Runtime on one thread of the CPU; and faiss on
the GPU beside the CPU. A row that cannot be measured says what is missing. Weights are drawn at random: speed
does not depend on them. The tables are written as JSON to build/benchmarks/gpu.json.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.gpu_forms import CPU, FORMS, Prepared, made_up_network
from benchmarks.gpu_vectors import VectorRow, vector_rows
from benchmarks.interleaved import in_turns
from shopfront.workspace import PROJECT
from snapshot.durable_files import write_durably

RESULT = PROJECT / "build" / "benchmarks" / "gpu.json"
_MARK = "mark.gpu"
MOST_ON_CPU = 10_000
"""Candidates up to which the CPU is measured beside: more would take the time of the others."""
TESTS_S = 150.0
"""Seconds that the tests may take of the whole."""


@dataclass(frozen=True)
class FormRow:
    """One form of the network.

    cells: number of candidates → (candidates a second, p50 in milliseconds of a call with its transfers);
    missing: why there are none, "" where there are; prepared_s: seconds until the form could be called.
    """

    form: str
    cells: dict[int, tuple[float, float]]
    missing: str
    prepared_s: float = 0.0


def main() -> None:
    """Measure what this machine can, print every row and write them as JSON."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 160)
    until = time.monotonic() + arguments.seconds
    console.print(f"{_machine(arguments.device)}; {arguments.seconds:.0f} s at most", highlight=False)
    tests = gpu_tests(min(TESTS_S, arguments.seconds / 3)) if arguments.tests else "not run (--no-tests)"
    console.print(f"tests that need a GPU: {tests}", highlight=False)
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as scratch:
        prepared = made_up_network(Path(scratch), arguments.items, max(arguments.candidates), arguments.seed)
        rows = form_rows(prepared, arguments.candidates, arguments.device, arguments.forms, until)
    show_forms(console, rows, arguments.candidates)
    vectors = vector_rows(arguments.vectors, arguments.seed, until)
    show_vectors(console, vectors)
    report = {
        "machine": _machine(arguments.device),
        "tests": tests,
        "forms": [asdict(row) for row in rows],
        "vectors": [asdict(row) for row in vectors],
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_durably(RESULT, json.dumps(report, indent=1).encode())
    console.print(f"written to {RESULT}", highlight=False)


def gpu_tests(limit_s: float) -> str:
    """What pytest says of every test marked gpu, in one line; they are ended after `limit_s` seconds."""
    # To collect every test of the project takes longer than to run these.
    files = [
        str(file) for file in sorted((PROJECT / "tests").rglob("test_*.py")) if _MARK in file.read_text()
    ]
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", *files]
    try:
        ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return f"did not end within {limit_s:.0f} s"
    summary = [line for line in ended.stdout.splitlines() if re.search(r"\d+ (passed|skipped|failed)", line)]
    said = summary[-1].strip("= ") if summary else f"pytest ended with {ended.returncode}"
    failed = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return "; ".join([said, *failed])


def form_rows(
    prepared: Prepared,
    candidates: Sequence[int],
    device: str,
    forms: Sequence[str],
    until: float,
    clock: Callable[[], float] = time.monotonic,
) -> list[FormRow]:
    """One row for each of `forms`, measured in turns over `candidates`; `until`: when to stop, on `clock`."""
    ready, rows = {}, {}
    for name in forms:
        begun = clock()
        if begun > until:
            rows[name] = FormRow(name, {}, "no time was left to prepare it")
            continue
        found = FORMS[name](prepared, device)
        spent = clock() - begun
        if isinstance(found, str):
            rows[name] = FormRow(name, {}, found)
        else:
            ready[name] = found
            rows[name] = FormRow(name, {}, "", spent)
    for position, count in enumerate(candidates):
        left = until - clock()
        if left <= 0:
            break
        feeds = prepared.request(count)
        ways = {
            name: partial(run, feeds) for name, run in ready.items() if name != CPU or count <= MOST_ON_CPU
        }
        if not ways:
            continue
        timings = in_turns(ways, rounds=20, budget_s=left / (len(candidates) - position) / 2)
        for name, timing in timings.items():
            rows[name].cells[count] = (count / timing.p50, timing.p50 * 1_000)
    return [rows[name] for name in forms]


def show_forms(console: Console, rows: Sequence[FormRow], candidates: Sequence[int]) -> None:
    """Prints the rates, in thousands of candidates a second, or what is missing."""
    table = Table(title="Thousands of candidates scored per second (p50 of a call in ms, transfers included)")
    table.add_column("form")
    for count in candidates:
        table.add_column(f"n = {count:,}", justify="right")
    table.add_column("ready after s", justify="right")
    for row in rows:
        cells = [
            f"{row.cells[count][0] / 1_000:,.0f} ({row.cells[count][1]:.2f})" if count in row.cells else "–"
            for count in candidates
        ]
        if row.missing:
            cells = ["missing"] + [""] * (len(candidates) - 1)
        table.add_row(row.form, *cells, "" if row.missing else f"{row.prepared_s:.1f}")
    console.print(table)
    for row in rows:
        if row.missing:
            console.print(f"{row.form}: missing: {row.missing}", highlight=False)


def show_vectors(console: Console, rows: Sequence[VectorRow]) -> None:
    """Prints searches per second of each index, or what is missing."""
    table = Table(title="faiss: searches per second, 64 at a time, 100 neighbours; recall@10 of exact")
    for name in ("vectors", "index", "on", "searches/s", "recall@10", "built in s", "missing"):
        table.add_column(name, justify="right" if name not in ("index", "on", "missing") else "left")
    for row in rows:
        figures = (
            ("", "", "") if row.missing else (f"{row.per_s:,.0f}", f"{row.recall:.3f}", f"{row.build_s:.1f}")
        )
        table.add_row(f"{row.vectors:,}", row.index, row.place, *figures, row.missing)
    console.print(table)


def _machine(device: str) -> str:
    if device == "cuda" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"no NVIDIA GPU is used (torch {torch.__version__})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: to try the script")
    parser.add_argument("--candidates", type=int, nargs="+", default=[300, 1_000, 10_000, 100_000])
    parser.add_argument("--forms", nargs="+", choices=list(FORMS), default=list(FORMS))
    parser.add_argument("--items", type=int, default=20_000, help="items of the made-up catalogue")
    parser.add_argument("--vectors", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=450.0, help="of the whole run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-tests", dest="tests", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    main()
