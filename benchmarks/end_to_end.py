"""The whole service against a plain peer, in one run: `make bench`.

Beside it a second peer that shows the limit: the same path in one process (`benchmarks.one_process_peer`).

All answer the same shoppers from the same snapshot and user state, with 300 candidates scored, in turns:
a round of one, a round of the other. The service and the limit serve `home` as `make run` does, last layer,
filters and rerankers included; the plain peer recall and BST alone. What counts is the ratio. Also reported:
each stage's share of the time, and the resident memory of every process. The tables are written as JSON to
build/benchmarks/end_to_end.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.closed_loop import Outcome, Plan, drive_in_process
from benchmarks.contestants import Contestant, one_process_peer, plain_peer, processes_of, service
from benchmarks.patient_settings import CANDIDATES, SCENE, patient_settings
from protos.shopfront.v1 import recommend_pb2, recommend_pb2_grpc
from shopfront.serve import Serving, serving
from shopfront.settings import load_settings
from shopfront.workspace import DEFAULT_FILE, PROJECT, Workspace
from snapshot.dataset import DatasetStore
from snapshot.durable_files import write_durably

_MEMORY = ("resident", "proportional", "unshared")
_SIDE_BY_SIDE = {"channel": "recall", "ranking": "ranking"}
RESULT = PROJECT / "build" / "benchmarks" / "end_to_end.json"


def main() -> None:
    """Build the workspace if need be, measure, print the tables and write them as JSON."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 120)
    workspace = Workspace(arguments.workspace.absolute())
    subprocess.run(
        [sys.executable, "-m", "shopfront", "build", "--workspace", str(workspace.root)], check=True
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        settings = patient_settings(load_settings(DEFAULT_FILE, workspace), Path(scratch), arguments.ingress)
        with (
            serving(workspace, settings, console.print) as served,
            plain_peer(workspace, settings, Path(scratch)) as peer,
            one_process_peer(workspace, settings, Path(scratch)) as limit,
        ):
            ours = service(served, arguments.ingress)
            users = _users(workspace)
            rounds = _rounds((ours, peer, limit), users, arguments, Path(scratch))
            stages = stage_shares(ours.address, users[: arguments.traced])
            memory = resident_memory(served)
    rows = summarise(rounds, ours.name, peer.name, limit.name)
    _show(console, rows, stages, memory)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "ingress": arguments.ingress,
        "candidates": CANDIDATES,
        "cores": os.cpu_count(),
        "latency": rows,
        "rounds": [
            {"contestant": name, **asdict(one.outcome), "cpu_ms": one.cpu_ms}
            for name, all in rounds.items()
            for one in all
        ],
        "stage_share": stages,
        "resident_mib": memory,
    }
    path = RESULT if arguments.ingress == "haproxy" else RESULT.with_stem(f"end_to_end_{arguments.ingress}")
    write_durably(path, json.dumps(report, indent=1).encode())
    console.print(f"written to {path}", highlight=False)


@dataclass(frozen=True)
class Round:
    """One round of one contestant; `cpu_ms`: its processes' processor time by request, milliseconds."""

    outcome: Outcome
    cpu_ms: float


def _rounds(
    contestants: Sequence[Contestant], users: list[str], arguments: argparse.Namespace, scratch: Path
) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = defaultdict(list)
    for concurrency in arguments.concurrency:
        plan = Plan("", SCENE, users, concurrency, arguments.requests)
        for contestant in contestants:
            drive_in_process(replace(plan, address=contestant.address, requests=concurrency * 8), scratch)
        for _ in range(arguments.rounds):
            for contestant in contestants:
                before_s = contestant.cpu_s()
                outcome = drive_in_process(replace(plan, address=contestant.address), scratch)
                spent_ms = 1e3 * (contestant.cpu_s() - before_s)
                if outcome.errors:
                    raise RuntimeError(f"{contestant.name} failed requests: {outcome.errors}")
                rounds[contestant.name].append(Round(outcome, spent_ms / outcome.requests))
    return rounds


def summarise(rounds: dict[str, list[Round]], ours: str, peer: str, limit: str) -> list[dict[str, Any]]:
    """One row per concurrency: medians over the rounds, and the median of each round's ratio."""
    rows = []
    for concurrency in sorted({one.outcome.concurrency for one in rounds[ours]}):
        mine, theirs, bare = (
            [one for one in rounds[name] if one.outcome.concurrency == concurrency]
            for name in (ours, peer, limit)
        )
        pairs = [(a.outcome, b.outcome) for a, b in zip(mine, theirs, strict=True)]
        row: dict[str, Any] = {"concurrency": concurrency}
        for who, all in (("ours", mine), ("peer", theirs), ("limit", bare)):
            for figure in ("p50_ms", "p99_ms", "per_second"):
                row[f"{who}_{figure}"] = median(getattr(one.outcome, figure) for one in all)
            row[f"{who}_cpu_ms"] = median(one.cpu_ms for one in all)
        row["throughput_ratio"] = median(a.per_second / b.per_second for a, b in pairs)
        row["p50_ratio"] = median(b.p50_ms / a.p50_ms for a, b in pairs)
        row["p99_ratio"] = median(b.p99_ms / a.p99_ms for a, b in pairs)
        # Requests per second of a core: how many a second of processor time answers.
        row["per_core_of_limit"] = median(b.cpu_ms / a.cpu_ms for a, b in zip(mine, bare, strict=True))
        row["degraded"] = sum(sum(one.outcome.degraded.values()) for one in (*mine, *bare))
        rows.append(row)
    return rows


def stage_shares(address: str, users: list[str]) -> list[dict[str, Any]]:
    """Each stage's mean milliseconds and share of the whole, from the traces of single requests."""
    with grpc.insecure_channel(address) as connection:
        stub = recommend_pb2_grpc.RecommendServiceStub(connection)
        requests = (
            recommend_pb2.RecommendRequest(scene=SCENE, user_id=user, with_trace=True) for user in users
        )
        return shares_of([stub.Recommend(request, timeout=30).trace for request in requests])


def shares_of(traces: Sequence[recommend_pb2.Trace]) -> list[dict[str, Any]]:
    """A row for each kind of stage, then one for each of those that run side by side.

    Channels, and the scorers of ranking, run side by side: they count once, as "recall" and "ranking", from
    the first one's begin to the last one's end.
    """
    spent: dict[str, float] = defaultdict(float)
    total = 0.0
    for trace in traces:
        total += trace.total_ms
        spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for stage in trace.stages:
            kind = _SIDE_BY_SIDE.get(stage.stage.split(":")[0])
            if kind is None:
                spent[stage.stage.split(":")[0]] += stage.elapsed_ms
            else:
                spans[kind].append((stage.start_ms, stage.start_ms + stage.elapsed_ms))
                spent[f"  {stage.stage}"] += stage.elapsed_ms
        for kind, own in spans.items():
            spent[kind] += max(end for _, end in own) - min(begin for begin, _ in own)
    named = sum(value for name, value in spent.items() if not name.startswith(" "))
    spent["state, query, response"] = total - named
    return [
        {"stage": name, "mean_ms": value / len(traces), "share": value / total}
        for name, value in sorted(spent.items(), key=lambda pair: (pair[0].startswith(" "), -pair[1]))
    ]


def resident_memory(served: Serving) -> list[dict[str, Any]]:
    """Resident, proportional and unshared MiB of every process that serves."""
    rows = []
    for process in processes_of(served):
        memory = process.memory_full_info()
        rows.append(
            {
                "process": _title(process),
                "pid": process.pid,
                "resident_mib": memory.rss / 2**20,
                "proportional_mib": memory.pss / 2**20,
                "unshared_mib": memory.uss / 2**20,
            }
        )
    return sorted(rows, key=lambda row: -row["resident_mib"])


def _title(process: psutil.Process) -> str:
    command: list[str] = process.cmdline() or [process.name()]
    if command[0].startswith("ray::"):
        return command[0]
    words = [Path(word).name for word in command[:4] if not word.startswith("-")]
    return " ".join(" ".join(words).split())[:48]


def _users(workspace: Workspace) -> list[str]:
    """Every shopper, shuffled by a fixed seed."""
    dataset = DatasetStore(workspace.datasets).open_current(verify=False)
    return dataset.users()["user_id"].sample(fraction=1.0, shuffle=True, seed=1).to_list()


def _show(
    console: Console, rows: list[dict[str, Any]], stages: list[dict[str, Any]], memory: list[dict[str, Any]]
) -> None:
    latency = Table(title=f"End to end, {CANDIDATES} candidates scored; ratios above 1: shopfront is better")
    for name in ("callers", "p50 ms", "p99 ms", "req/s", "peer p50", "peer p99", "peer req/s"):
        latency.add_column(name, justify="right")
    for name in ("p50 ratio", "p99 ratio", "req/s ratio", "degraded"):
        latency.add_column(name, justify="right")
    for row in rows:
        latency.add_row(
            str(row["concurrency"]),
            *(f"{row[f'ours_{figure}']:.1f}" for figure in ("p50_ms", "p99_ms", "per_second")),
            *(f"{row[f'peer_{figure}']:.1f}" for figure in ("p50_ms", "p99_ms", "per_second")),
            *(f"{row[name]:.2f}" for name in ("p50_ratio", "p99_ratio", "throughput_ratio")),
            str(row["degraded"]),
        )
    shares = Table(title="Where one request's time goes (one caller)")
    for name in ("stage", "mean ms", "share"):
        shares.add_column(name, justify="left" if name == "stage" else "right")
    for row in stages:
        shares.add_row(row["stage"], f"{row['mean_ms']:.2f}", f"{row['share']:.1%}")
    resident = Table(title="Memory")
    for name in ("process", "resident MiB", "proportional MiB", "unshared MiB"):
        resident.add_column(name, justify="left" if name == "process" else "right")
    for row in memory:
        resident.add_row(row["process"], *(f"{row[f'{kind}_mib']:.0f}" for kind in _MEMORY))
    resident.add_row("all", *(f"{sum(row[f'{kind}_mib'] for row in memory):.0f}" for kind in _MEMORY))
    for table in (latency, _limit(rows), shares, resident):
        console.print(table)


def _limit(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Processor time; the limit: the same path and graphs in one process")
    for name in (
        "callers",
        "CPU ms",
        "peer's",
        "limit's",
        "req/s",
        "limit's ",
        "req/s of a core, of the limit's",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row["concurrency"]),
            *(f"{row[f'{who}_cpu_ms']:.1f}" for who in ("ours", "peer", "limit")),
            *(f"{row[f'{who}_per_second']:.1f}" for who in ("ours", "limit")),
            f"{row['per_core_of_limit']:.2f}",
        )
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Workspace.for_data(None).root)
    parser.add_argument("--ingress", choices=("haproxy", "grpc"), default="haproxy")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=400, help="requests per round")
    parser.add_argument("--traced", type=int, default=200, help="requests whose traces are averaged")
    return parser.parse_args()


if __name__ == "__main__":
    main()
