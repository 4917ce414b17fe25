"""What attacks cost the callers beside them, and what memory they leave: `python -m benchmarks.attacks`.

A small shop is served by each ingress. A bystander asks for a page twenty times a second, every other
time over a new connection: first alone, then while a process of the lowest priority, which takes as
little from the router as an attacker elsewhere would, sends one kind of harmful request after the other
or holds thousands of idle connections. Reported: the bystander's latencies in ms and its failed calls,
the attack's requests or connections, and MiB that the replicas hold before the attack, at most during
it, and afterwards, waited for at most a minute. The table is written as JSON to
build/benchmarks/attacks.json.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.idle_connections import GREETING, IdleConnections
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from protos.shopfront.v1.rollout_pb2 import ChangeRolloutRequest
from server.ingress_settings import IngressKind
from server.rpc.methods import method_table
from shopfront.workspace import PROJECT
from snapshot.durable_files import write_durably
from testing.running_router import Ingress, as_processes
from testing.served_shop import make_shop

INGRESSES: tuple[IngressKind, ...] = ("haproxy", "grpc")
RESULT = PROJECT / "build" / "benchmarks" / "attacks.json"
MESSAGES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "2,000,000 empty scenes": ("RecommendPage", lambda: b"\x0a\x00" * 2_000_000),
    "1,000,000 empty events": ("ReportEvents", lambda: b"\x0a\x00" * 1_000_000),
    "rollout_id of 9,000 bytes": (
        "AbortRollout",
        ChangeRolloutRequest(rollout_id="x" * 9_000).SerializeToString,
    ),
    "64 MiB in gzip": ("Recommend", lambda: gzip.compress(bytes(64 * 2**20), mtime=0)),
    "700 MiB in gzip": ("Recommend", lambda: gzip.compress(bytes(700 * 2**20), mtime=0)),
    "9 MiB of zeros": ("Recommend", lambda: bytes(9 * 2**20)),
}
CONNECTIONS = {"silent connections": b"", "connections that only greeted": GREETING}
_NO_TRITON = "127.0.0.1:9"
_CALLS_PER_S = 20.0
_TIMEOUT_S = 20.0
_RETURNED = 1.1


@dataclass
class Bystander:
    """What a caller that does no harm saw."""

    took_ms: list[float] = field(default_factory=list)
    failed: int = 0

    def ask(self, address: str, seconds: float) -> None:
        """Calls at a fixed rate, every other one over a new connection."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        until = time.monotonic() + seconds
        with grpc.insecure_channel(address, options) as kept:
            while time.monotonic() < until:
                fresh = grpc.insecure_channel(address, options) if len(self.took_ms) % 2 else None
                began = time.monotonic()
                try:
                    RecommendServiceStub(fresh or kept).Recommend(RecommendRequest(scene="home"), timeout=10)
                except grpc.RpcError:
                    self.failed += 1
                self.took_ms.append((time.monotonic() - began) * 1_000)
                if fresh is not None:
                    fresh.close()
                time.sleep(max(0.0, 1 / _CALLS_PER_S - self.took_ms[-1] / 1_000))

    def row(self) -> dict[str, Any]:
        """Its columns of the table."""
        p50, p99 = np.percentile(self.took_ms, (50, 99))
        return {
            "calls": len(self.took_ms),
            "failed": self.failed,
            "p50_ms": float(p50),
            "p99_ms": float(p99),
        }


class Resident:
    """MiB that the replicas of a router hold, looked at ten times a second until it is closed."""

    def __init__(self, ingress: Ingress) -> None:
        """Begins to look."""
        self._ingress = ingress
        self._done = threading.Event()
        self.before_mib = self.highest_mib = self.now_mib()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def now_mib(self) -> float:
        """What they hold now."""
        assert self._ingress.handle is not None
        pids = self._ingress.handle.replica_pids()
        return float(sum(psutil.Process(pid).memory_info().rss for pid in pids)) / 2**20

    def _look(self) -> None:
        while not self._done.wait(0.1):
            self.highest_mib = max(self.highest_mib, self.now_mib())

    def close(self) -> None:
        """Stops looking."""
        self._done.set()
        self._thread.join()

    def after_mib(self, wait_s: float) -> float:
        """What they hold as soon as that is a tenth above what they held before, or after `wait_s`."""
        until = time.monotonic() + wait_s
        while (now := self.now_mib()) > _RETURNED * self.before_mib and time.monotonic() < until:
            time.sleep(1)
        return now


def main() -> None:
    """Measure both ingresses, print the table and write it as JSON."""
    arguments = _arguments()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < arguments.connections + 500:
        sys.exit(
            f"{arguments.connections} connections need more open files than `ulimit -Hn` allows ({hard})"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    console = Console(width=None if sys.stdout.isatty() else 150)
    rows = [row for kind in arguments.ingress for row in _measured(kind, arguments)]
    columns = list(rows[-1])
    table = Table(*columns)
    for row in rows:
        values = (row.get(column, "") for column in columns)
        table.add_row(*(f"{value:.1f}" if isinstance(value, float) else str(value) for value in values))
    console.print(table)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    report = {"connections": arguments.connections, "rows": rows}
    write_durably(RESULT, json.dumps(report, indent=1).encode())


def _measured(kind: IngressKind, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    with _served(kind) as served:
        Bystander().ask(served.address, 2.0)
        alone = Bystander()
        alone.ask(served.address, arguments.seconds)
        quiet = alone.row()
        yield {"ingress": kind, "attack": "none", **quiet}
        for name in (*MESSAGES, *CONNECTIONS):
            resident = Resident(served)
            bystander = Bystander()
            with _attack(served.address, name, arguments.connections) as result:
                bystander.ask(served.address, arguments.seconds)
            resident.close()
            row = bystander.row()
            yield {
                "ingress": kind,
                "attack": name,
                **row,
                "p99_over_quiet": row["p99_ms"] / quiet["p99_ms"],
                "sent": result.get(),
                "mib_before": resident.before_mib,
                "mib_highest": resident.highest_mib,
                "mib_after": resident.after_mib(60.0),
            }


@contextmanager
def _served(kind: IngressKind) -> Iterator[Ingress]:
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        settings = make_shop(Path(folder)).settings(
            _NO_TRITON, ingress={"kind": kind, "address": "127.0.0.1:0"}
        )
        with as_processes(settings) as started:
            yield started


@contextmanager
def _attack(address: str, name: str, connections: int) -> Iterator[Any]:
    """Attacks from a process of its own; its queue has one line afterwards of what it did."""
    context = multiprocessing.get_context("spawn")
    began, stop, result = context.Event(), context.Event(), context.Queue()
    attacker = context.Process(
        target=_send if name in MESSAGES else _hold, args=(address, name, connections, began, stop, result)
    )
    attacker.start()
    if not began.wait(120):
        attacker.kill()
        raise RuntimeError(f"the attack {name!r} did not begin within 120 s")
    yield result
    stop.set()
    attacker.join(120)
    if attacker.exitcode != 0:
        attacker.kill()
        raise RuntimeError(f"the attack {name!r} ended with {attacker.exitcode}")


def _send(address: str, name: str, _: int, began: Event, stop: Event, result: Any) -> None:
    """One request after the other; then how often each status came."""
    os.nice(19)
    method, made = MESSAGES[name]
    data = made()
    found: Counter[str] = Counter()
    with grpc.insecure_channel(address, [("grpc.max_send_message_length", -1)]) as channel:
        call = channel.unary_unary(method_table()[method].path)
        began.set()
        while not stop.is_set():
            try:
                call(data, timeout=_TIMEOUT_S)
                found["OK"] += 1
            except grpc.RpcError as error:
                found[error.code().name] += 1
    result.put(", ".join(f"{count} {status}" for status, count in found.most_common()))


def _hold(address: str, name: str, connections: int, began: Event, stop: Event, result: Any) -> None:
    """So many connections all the time; then how many were opened for that."""
    os.nice(19)
    idle = IdleConnections(address, connections, CONNECTIONS[name])
    idle.full.wait(30)
    began.set()
    stop.wait()
    idle.close()
    result.put(f"{idle.opened} opened")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=4_200, help="idle connections held open")
    parser.add_argument("--seconds", type=float, default=15.0, help="time of each measurement")
    parser.add_argument("--ingress", nargs="+", choices=INGRESSES, default=INGRESSES, help="default: both")
    return parser.parse_args()


if __name__ == "__main__":
    main()
