"""What thousands of idle connections cost the callers beside them: `python -m benchmarks.idle_connections`.

A small shop is served by each ingress. Recommendations are asked for one after the other, first alone, then
while one address holds thousands of connections that say nothing, and then ones that have only greeted; what
the server closes is opened again at once. Reported: latencies in ms, calls that failed, and connections
opened. The table is written as JSON to build/benchmarks/idle_connections.json.
"""

import argparse
import json
import resource
import select
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from rich.console import Console
from rich.table import Table

from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from server.ingress_settings import IngressKind, split_address
from shopfront.workspace import PROJECT
from snapshot.durable_files import write_durably
from testing.running_router import as_processes
from testing.served_shop import make_shop

RESULT = PROJECT / "build" / "benchmarks" / "idle_connections.json"
INGRESSES: tuple[IngressKind, ...] = ("haproxy", "grpc")
# A greeting of HTTP/2: the preface and empty settings.
GREETINGS = {"silent": b"", "greeted": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04" + bytes(5)}
_NO_TRITON = "127.0.0.1:9"
_CALLS_PER_S = 20.0


class IdleConnections:
    """Keeps so many connections open from one address, and counts how many were opened."""

    def __init__(self, address: str, count: int, greeting: bytes) -> None:
        """Opens them, and opens others for those that are closed, until `close`."""
        self._target = split_address(address)
        self._count = count
        self._greeting = greeting
        self._stopping = threading.Event()
        self._open: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self.opened = 0
        self.full = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            while len(self._open) < self._count and not self._stopping.is_set():
                self._connect()
            self.full.set()
            for number, _ in self._poll.poll(100):
                connection = self._open[number]
                try:
                    gone = not connection.recv(4_096)
                except ConnectionError:
                    gone = True
                if gone:
                    self._poll.unregister(number)
                    self._open.pop(number).close()

    def _connect(self) -> None:
        connection = socket.socket()
        try:
            connection.settimeout(5)
            connection.connect(self._target)
            connection.sendall(self._greeting)
        except OSError:
            connection.close()
            time.sleep(0.001)
            return
        self.opened += 1
        self._open[connection.fileno()] = connection
        self._poll.register(connection, select.POLLIN)

    def close(self) -> None:
        """Closes all of them."""
        self._stopping.set()
        self._thread.join()
        for connection in self._open.values():
            connection.close()


def main() -> None:
    """Measure both ingresses, print the table and write it as JSON."""
    arguments = _arguments()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < arguments.connections + 500:
        sys.exit(
            f"{arguments.connections} connections need more open files than `ulimit -Hn` allows ({hard})"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    console = Console(width=None if sys.stdout.isatty() else 120)
    rows: list[dict[str, Any]] = []
    for ingress in INGRESSES:
        with _served(ingress) as address:
            rows.append(
                {"ingress": ingress, "beside": "nobody", "opened": 0, **_ask(address, arguments.seconds)}
            )
            for name, greeting in GREETINGS.items():
                idle = IdleConnections(address, arguments.connections, greeting)
                idle.full.wait(30)
                found = _ask(address, arguments.seconds)
                idle.close()
                rows.append({"ingress": ingress, "beside": name, "opened": idle.opened, **found})
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()))
    console.print(table)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    report = {"connections": arguments.connections, "rows": rows}
    write_durably(RESULT, json.dumps(report, indent=1).encode())


@contextmanager
def _served(ingress: IngressKind) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="idle-") as folder:
        settings = make_shop(Path(folder)).settings(
            _NO_TRITON, ingress={"kind": ingress, "address": "127.0.0.1:0"}
        )
        with as_processes(settings) as started:
            yield started.address


def _ask(address: str, seconds: float) -> dict[str, Any]:
    """Calls at a fixed rate, every other one over a new connection."""
    took: list[float] = []
    failed = 0
    options = [("grpc.use_local_subchannel_pool", 1)]
    until = time.monotonic() + seconds
    with grpc.insecure_channel(address, options) as kept:
        while time.monotonic() < until:
            fresh = grpc.insecure_channel(address, options) if len(took) % 2 else None
            began = time.monotonic()
            try:
                RecommendServiceStub(fresh or kept).Recommend(RecommendRequest(scene="home"), timeout=10)
            except grpc.RpcError:
                failed += 1
            took.append((time.monotonic() - began) * 1_000)
            if fresh is not None:
                fresh.close()
            time.sleep(max(0.0, 1 / _CALLS_PER_S - took[-1] / 1_000))
    p50, p99 = np.percentile(took, (50, 99))
    return {"calls": len(took), "failed": failed, "p50_ms": float(p50), "p99_ms": float(p99)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=4_200, help="idle connections held open")
    parser.add_argument("--seconds", type=float, default=15.0, help="time of each measurement")
    return parser.parse_args()


if __name__ == "__main__":
    main()
