"""How fast candidates are scored, against a plain deployment of the same network: `make bench-ranking`.

Two sizes of BST, the served one (T=50, d=32, 4 heads, MLP 256-64) and the paper's (T=20, d=64, 8 heads, MLP
1024-512), each in every form: torch with a history per candidate, ONNX Runtime with a history per candidate
(the plain deployment, which counts 1), and ours, in this process and through Triton. Everything runs on one
thread, in turns, in one run; what counts are the ratios. Within its turn a quick form is called several
times, so that its caches are warm, as in a server that does nothing else. Forms that failed a gate of the
export are measured and marked, not served. The table is written as JSON to build/benchmarks/ranking.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.forms_on_triton import forms_on_triton
from benchmarks.gemm_rate import float32_rate, matrix_products_flop
from benchmarks.graph_memory import graph_memory
from benchmarks.interleaved import Timings, in_turns
from benchmarks.ranking_forms import PLAIN, forms_of, replicated_request, request_of
from models.bst_settings import BstNetworkSettings
from models.training_loop import silent
from router.ranking.settings import TritonClientSettings
from router.ranking.triton_client import TritonClient, infer_request
from shopfront.build_record import BuildRecord
from shopfront.settings import Settings, load_settings
from shopfront.training import train_model
from shopfront.workspace import DEFAULT_FILE, PROJECT, Workspace
from snapshot.dataset import Dataset, DatasetStore
from snapshot.durable_files import write_durably

RESULT = PROJECT / "build" / "benchmarks" / "ranking.json"
PAPER = BstNetworkSettings(history_length=20, dimension=64, heads=8, feed_forward=256, hidden=(1024, 512))
REFERENCE = 1000
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Cell:
    """One form at one number of candidates.

    per_s: candidates a second; p50_ms, p99_ms: of a call; ratio: times as fast as the plain deployment in
    this process; through_triton: times as fast as the plain deployment through Triton, where asked there.
    """

    candidates: int
    per_s: float
    p50_ms: float
    p99_ms: float
    ratio: float
    through_triton: float | None = None


@dataclass(frozen=True)
class Row:
    """One form in one place.

    request_bytes: of the gRPC message at `REFERENCE` candidates, in this process of its arrays;
    gemm_share: its matrix products' operations per second there, as a share of the float32 rate measured in
    the same run; memory_mib: added to a process by its graph, or resident in its process under Triton;
    auc_loss, ndcg_50: against float32, None where the form is float32; gate: the gate it failed, or empty.
    """

    size: str
    form: str
    where: str
    cells: list[Cell]
    request_bytes: int
    gemm_share: float | None
    memory_mib: float | None
    auc_loss: float | None
    ndcg_50: float | None
    gate: str


def main() -> None:
    """Build and train what is missing, measure both sizes, print the table and write it as JSON."""
    arguments = _arguments()
    torch.set_num_threads(1)
    console = Console(width=None if sys.stdout.isatty() else 220)
    workspace = Workspace(arguments.workspace.absolute())
    subprocess.run(
        [sys.executable, "-m", "shopfront", "build", "--workspace", str(workspace.root)], check=True
    )
    settings = load_settings(DEFAULT_FILE, workspace)
    dataset = DatasetStore(workspace.datasets).open_current(verify=False)
    sizes = {
        "T=50 d=32 MLP 256-64": workspace.checkpoints
        / "bst"
        / BuildRecord(workspace.build_record).latest("checkpoint bst"),
        "T=20 d=64 MLP 1024-512": _paper_checkpoint(dataset, settings, arguments, console),
    }
    rate = float32_rate()
    rows: list[Row] = []
    for size, checkpoint in sizes.items():
        with tempfile.TemporaryDirectory(prefix="bench-ranking-") as scratch:
            rows += _measure(size, checkpoint, dataset, Path(scratch), settings, arguments, rate, console)
    _show(console, rows, arguments.candidates, rate)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "gemm_flop_per_s": rate,
        "rounds": arguments.rounds,
        "rows": [asdict(row) for row in rows],
    }
    write_durably(RESULT, json.dumps(report, indent=1).encode())
    console.print(f"written to {RESULT}", highlight=False)


def _measure(
    size: str,
    checkpoint: Path,
    dataset: Dataset,
    scratch: Path,
    settings: Settings,
    arguments: argparse.Namespace,
    rate: float,
    console: Console,
) -> list[Row]:
    console.print(f"{size}: writing every form and judging its quality", highlight=False)
    forms, sample = forms_of(checkpoint, dataset, scratch / "forms", settings.export, settings.seed)
    requests = {
        count: request_of(sample, dataset.catalogue.size, count, settings.seed)
        for count in sorted({*arguments.candidates, REFERENCE})
    }
    graphs = {form.name: form.model for form in forms if form.model is not None}
    timings: dict[int, dict[str, Timings]] = {}
    with forms_on_triton(graphs, scratch, dataset) as triton, asyncio.Runner() as loop:
        client = TritonClient(TritonClientSettings(url=triton.url))
        for count in requests:
            console.print(f"{size}: {count:,} candidates", highlight=False)
            ways: dict[str, Callable[[], object]] = {}
            for form in forms:
                feeds = replicated_request(requests[count]) if form.replicates else requests[count]
                ways[form.name] = partial(form.run, feeds)
                if form.model is not None:
                    ask = partial(client.infer, triton.models[form.name], "1", feeds, ("score",), PATIENCE_S)
                    ways[f"triton {form.name}"] = partial(_run, loop, ask)
            timings[count] = in_turns(ways, rounds=arguments.rounds, budget_s=arguments.budget)
        memory = triton.memory_mib()
        loop.run(client.close())
    rows = []
    for form in forms:
        feeds = requests[REFERENCE]
        sent = replicated_request(feeds) if form.replicates else feeds
        flop = matrix_products_flop(form.model, sent) if form.model is not None else None
        gate = form.gate
        for prefix in ("", "triton ") if form.model is not None else ("",):
            cells = [_cell(count, timings[count], prefix, form.name) for count in arguments.candidates]
            seconds = timings[REFERENCE][prefix + form.name].p50
            rows.append(
                Row(
                    size,
                    form.name,
                    "Triton" if prefix else "in process",
                    cells,
                    infer_request(triton.models.get(form.name, ""), "1", sent, ("score",)).ByteSize()
                    if prefix
                    else sum(values.nbytes for values in sent.values()),
                    flop / seconds / rate if flop is not None else None,
                    memory[form.name]
                    if prefix
                    else (graph_memory(form.model, sent) if form.model is not None else None),
                    gate.auc_loss if gate is not None else None,
                    gate.ndcg_50 if gate is not None else None,
                    gate.reason if gate is not None and gate.verdict == "refused" else "",
                )
            )
    return rows


def _run(loop: asyncio.Runner, ask: Callable[[], Coroutine[Any, Any, object]]) -> None:
    loop.run(ask())


def _cell(count: int, timings: dict[str, Timings], prefix: str, name: str) -> Cell:
    own = timings[prefix + name]
    return Cell(
        count,
        count / own.p50,
        own.p50 * 1000,
        own.p99 * 1000,
        own.times_faster(timings[PLAIN]),
        own.times_faster(timings[f"triton {PLAIN}"]) if prefix else None,
    )


def _paper_checkpoint(
    dataset: Dataset, settings: Settings, arguments: argparse.Namespace, console: Console
) -> Path:
    """A checkpoint of the paper's size, trained for `arguments.steps` steps; one already there is taken.

    It is trained so that the quality gates judge a network that has learned something.
    """
    folder = PROJECT / "build" / "benchmarks" / "checkpoints"
    made = sorted((folder / "bst").glob(f"*-{dataset.manifest.id[-8:]}"))
    if made:
        return made[-1]
    bst = settings.models.bst
    training = bst.training.model_copy(
        update={"max_steps": arguments.steps, "evaluate_every": arguments.steps}
    )
    model = bst.model_copy(update={"network": PAPER, "training": training})
    console.print(f"training the paper's size for {arguments.steps} steps", highlight=False)
    return folder / "bst" / train_model("bst", dataset, model, folder, silent, {}).checkpoint


def _show(console: Console, rows: Sequence[Row], candidates: Sequence[int], rate: float) -> None:
    table = Table(
        title="Thousands of candidates scored per second, p50 / p99 of a call in ms, one thread",
        caption=f"×: times as fast at {REFERENCE:,} candidates as ONNX Runtime with replicated histories,"
        " float32, in process; × Triton: the same through Triton",
    )
    for name in ("form", "where"):
        table.add_column(name, no_wrap=True)
    for count in candidates:
        table.add_column(f"n = {count:,}", justify="right", no_wrap=True)
    for name in ("×", "× Triton", "GEMM", "bytes", "MiB", "AUC loss", "NDCG@50"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("gates", no_wrap=True)
    size = ""
    for row in rows:
        if row.size != size:
            size = row.size
            table.add_section()
            table.add_row(f"[bold]{size}")
        reference = next(cell for cell in row.cells if cell.candidates == REFERENCE)
        table.add_row(
            row.form,
            row.where,
            *(f"{cell.per_s / 1000:,.0f}  {cell.p50_ms:.2f} / {cell.p99_ms:.2f}" for cell in row.cells),
            f"{reference.ratio:.1f}",
            "" if reference.through_triton is None else f"{reference.through_triton:.1f}",
            "" if row.gemm_share is None else f"{row.gemm_share:.0%}",
            f"{row.request_bytes:,}",
            "" if row.memory_mib is None else f"{row.memory_mib:.0f}",
            "" if row.auc_loss is None else f"{row.auc_loss:.5f}",
            "" if row.ndcg_50 is None else f"{row.ndcg_50:.5f}",
            "failed" if row.gate else "" if row.ndcg_50 is None else "passed",
        )
    console.print(table)
    console.print(
        "GEMM: operations of the form's matrix products per second, as a share of float32's"
        f" {rate / 1e9:.0f} GFLOP/s on one thread, measured in this run",
        highlight=False,
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.for_data(None).root)
    parser.add_argument("--candidates", type=int, nargs="+", default=[100, 300, 1000, 5000])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--budget", type=float, default=40.0, help="seconds per number of candidates")
    parser.add_argument("--steps", type=int, default=300, help="training steps of the paper's size")
    return parser.parse_args()


if __name__ == "__main__":
    main()
