"""Good, shuffled, slow, dying and NaN versions rolled out under load, the router killed in each.

    python -m benchmarks.rollout_faults [--router left leader killed] [--only "50 ms slower" …]

Tiny models, so that what is measured is the rollout: a real Triton, two replicas behind our own gRPC ingress.
Once a rollout runs, every process of the router gets SIGKILL and the router is started again; with `leader`
only the replica that leads gets it; with `left` all live on, which shows how long the verdict itself takes.
Failed requests are those of the downtime. Reported: seconds from the first stage's begin (of a version
refused before, from the start) to the verdict, and how long the router was down meanwhile; shoppers whom the
candidate answered; answers that fell back to the stable version; failed requests. Written as JSON to
build/benchmarks/rollout_faults.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from protos.shopfront.v1 import rollout_pb2
from server.ingress.launcher import start_router
from server.ingress.router_handle import RouterHandle
from server.settings import RouterSettings
from shopfront.workspace import PROJECT
from snapshot.durable_files import write_durably
from testing.faulty_versions import add_version, dying, shuffled_weights, similar_weights
from testing.quick_rollouts import quick_settings
from testing.rollout_traffic import Operator, Traffic, shoppers, stage
from testing.served_shop import ServedShop, make_shop
from testing.triton_server import tiny_triton
from triton_repo.process_ends import wait_until_ended
from triton_repo.server import TritonServer
from triton_repo.watch import TritonWatcher

RESULT = PROJECT / "build" / "benchmarks" / "rollout_faults.json"
FAULTS: dict[str, dict[str, Any]] = {
    # First, while the replicas have seen no shopper without a history: later it is refused before traffic.
    "NaN without history": {"nan_without_history": True},
    "shuffled scores": {"weights": shuffled_weights},
    "50 ms slower": {"slow_ms": 50.0},
    "dying process": {"weights": similar_weights},
    "good": {"weights": similar_weights},
}
_STAGES = [stage(1_000, 1.0, 100), stage(2_500, 1.0, 200), stage(5_000, 1.0, 200), stage(10_000, 1.0, 100)]
_ENDED = ("promoted", "refused", "rolled_back", "aborted", "expired", "superseded")
_TIMEOUT_S = 150.0
_ROUTERS = ("left", "leader", "killed")


@dataclass(frozen=True)
class Outcome:
    """What became of one rollout; seconds, and shares from 0 to 1."""

    fault: str
    router: str
    phase: str
    reason: str
    to_verdict_s: float
    router_down_s: float
    shoppers: int
    touched: int
    touched_share: float
    candidate_answers: int
    fallback_answers: int
    answers: int
    failed_requests: int
    leaders: int


class Router:
    """A router that is killed and started again at the same address."""

    def __init__(self, settings: RouterSettings) -> None:
        """Starts the router at a free port, which it keeps."""
        self._handle: RouterHandle = start_router(settings)
        self.address = self._handle.address
        ingress = settings.ingress.model_copy(update={"address": self.address})
        self._settings = settings.model_copy(update={"ingress": ingress})

    def kill(self) -> float:
        """Kills every process with SIGKILL and starts anew; seconds until it answers again."""
        began = time.monotonic()
        processes = self._handle.processes()
        # The handle itself waits for the first one, which leads the session of the others.
        others = [process for process in processes if process.pid != os.getsid(process.pid)]
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        wait_until_ended(others, 10.0)
        self._handle.stop()
        self._handle = start_router(self._settings)
        return time.monotonic() - began

    def kill_leader(self, leader: str) -> None:
        """Kills the replica of this name with SIGKILL; it is started again by itself."""
        pid = int(leader.split("-")[-2])
        if pid not in self._handle.replica_pids():
            raise RuntimeError(f"{leader} is none of the replicas {self._handle.replica_pids()}")
        psutil.Process(pid).kill()

    def stop(self) -> None:
        """Ends it in order."""
        self._handle.stop()


def main() -> None:
    """Runs every fault, prints the table and writes it as JSON."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 140)
    outcomes = []
    with (
        tempfile.TemporaryDirectory(prefix="rollout-faults-") as folder,
        _running_router(Path(folder)) as running,
    ):
        for fault in arguments.only or FAULTS:
            for router in arguments.router:
                outcomes.append(_roll_out(fault, router, *running))
                last = outcomes[-1]
                console.print(f"{fault}, router {router}: {last.phase} after {last.to_verdict_s:.1f} s")
    console.print(_table(outcomes))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_durably(RESULT, json.dumps([asdict(outcome) for outcome in outcomes], indent=2).encode())
    console.print(f"written to {RESULT}", highlight=False)


@contextmanager
def _running_router(folder: Path) -> Iterator[tuple[Router, ServedShop, TritonServer]]:
    shop = make_shop(folder)
    with tiny_triton(folder, health_interval_s=0.3) as server:
        watcher = TritonWatcher(server, lambda event: None)
        watcher.start()
        router = Router(quick_settings(shop, server.grpc_url))
        try:
            yield router, shop, server
        finally:
            router.stop()
            watcher.stop()


def _roll_out(fault: str, kill: str, router: Router, shop: ServedShop, server: TritonServer) -> Outcome:
    asked = {name: value() if callable(value) else value for name, value in FAULTS[fault].items()}
    version = add_version(server.repository, shop.dataset.manifest.id, **asked)
    operator = Operator(router.address, "benchmark")
    before = len(operator.history())
    # Prepared on the replicas' own first queries: what only shoppers bring about must show in traffic.
    operator.start(version, _STAGES, settle_s=1.0)
    prepared = operator.wait_until("running", *_ENDED)
    with shoppers(router.address, clients=3) as traffic:
        began = time.monotonic()
        # A version that was refused in preparation never has an arm.
        seen = (lambda: any(answer.arms for answer in traffic.since(began))) if prepared.weight_bp else None
        _wait(seen or (lambda: len(traffic.answers) > 0), "an answer")
        down_s = router.kill() if kill == "killed" else 0.0
        leader = operator.status().leader
        if kill == "leader" and leader:
            router.kill_leader(leader)
        with dying(server, version) if fault == "dying process" else nullcontext():
            ended = operator.wait_until(*_ENDED, timeout_s=_TIMEOUT_S)
    return _outcome(fault, kill, ended, operator.history()[before:], traffic, version, began, down_s)


def _outcome(
    fault: str,
    router: str,
    ended: rollout_pb2.RolloutStatus,
    history: list[rollout_pb2.RolloutEvent],
    traffic: Traffic,
    version: int,
    began: float,
    down_s: float,
) -> Outcome:
    answers = traffic.since(began)
    begun = [event.at_ms for event in history if event.event in ("started", "prepared")]
    verdict_ms = next(
        event.at_ms for event in history if event.event in ("promoted", *_ENDED) or event.phase in _ENDED
    )
    users = {answer.user for answer in answers}
    touched = traffic.touched(began, version)
    return Outcome(
        fault=fault,
        router=router,
        phase=ended.phase,
        reason=ended.reason if ended.phase != "promoted" else "every stage passed",
        to_verdict_s=(verdict_ms - begun[-1]) / 1000.0,
        router_down_s=down_s,
        shoppers=len(users),
        touched=len(touched),
        touched_share=len(touched) / len(users),
        candidate_answers=sum(answer.version == str(version) for answer in answers),
        fallback_answers=sum("ranking:candidate" in answer.degraded for answer in answers),
        answers=len(answers),
        failed_requests=len(traffic.errors),
        leaders=sum(event.event == "led" for event in history),
    )


def _wait(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(f"no {what} within {timeout_s:.0f} s")
        time.sleep(0.02)


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Rollouts judged by themselves")
    for column in (
        "version",
        "router",
        "ended",
        "to verdict",
        "router down",
        "touched",
        "fell back",
        "failed",
        "why",
    ):
        table.add_column(column, overflow="fold")
    for outcome in outcomes:
        table.add_row(
            outcome.fault,
            outcome.router,
            outcome.phase,
            f"{outcome.to_verdict_s:.1f} s",
            f"{outcome.router_down_s:.1f} s",
            f"{outcome.touched} of {outcome.shoppers} ({outcome.touched_share:.1%})",
            f"{outcome.fallback_answers} of {outcome.answers}",
            str(outcome.failed_requests),
            outcome.reason[:100],
        )
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), help="faults to run; default: all")
    parser.add_argument("--router", nargs="+", choices=_ROUTERS, default=_ROUTERS, help="default: all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
