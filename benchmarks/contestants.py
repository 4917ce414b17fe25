"""Who is measured end to end: the service, a plain peer, and the same path in one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.one_process_peer import OneProcessPlan
from benchmarks.plain_peer import PeerPlan
from models.contracts import contracts
from shopfront.build_record import BuildRecord
from shopfront.serve import Serving
from shopfront.settings import Settings
from shopfront.workspace import Workspace
from triton_repo.repository import ModelRepository


@dataclass(frozen=True)
class Contestant:
    """Who is measured, where it listens, and the processes that it is made of."""

    name: str
    address: str
    processes: Callable[[], Sequence[psutil.Process]]

    def cpu_s(self) -> float:
        """Seconds of processor time, user and system, that its processes have used."""
        spent = 0.0
        for process in self.processes():
            times = process.cpu_times()
            spent += times.user + times.system
        return spent


def service(served: Serving, ingress: str) -> Contestant:
    """The service: every process of the router and of Triton."""
    return Contestant(f"shopfront ({ingress})", served.address, lambda: processes_of(served))


def processes_of(served: Serving) -> list[psutil.Process]:
    """Every process that serves."""
    processes = {process.pid: process for process in served.router.processes()}
    if served.triton is not None and served.triton.pid is not None:
        triton = psutil.Process(served.triton.pid)
        processes |= {process.pid: process for process in (triton, *triton.children(recursive=True))}
    return list(processes.values())


@contextmanager
def plain_peer(workspace: Workspace, settings: Settings, scratch: Path) -> Iterator[Contestant]:
    """The plain peer over the same workspace, in a process of its own, while the body runs."""
    record = BuildRecord(workspace.build_record)
    plan = PeerPlan(
        snapshots=str(workspace.snapshots),
        state_url=settings.router.state.url,
        scenes=str(settings.router.scenes),
        bst_checkpoint=str(workspace.checkpoints / "bst" / record.latest("checkpoint bst")),
        mind_checkpoint=str(workspace.checkpoints / "mind" / record.latest("checkpoint mind")),
    )
    with _peer("plain peer", "benchmarks.plain_peer", asdict(plan), scratch) as peer:
        yield peer


@contextmanager
def one_process_peer(workspace: Workspace, settings: Settings, scratch: Path) -> Iterator[Contestant]:
    """The service's own path and graphs in one process, over the same workspace, while the body runs."""
    router = settings.router.model_dump(mode="json")
    # The service beside it counts in that folder.
    router["metrics"]["enabled"] = False
    plan = OneProcessPlan(router, str(ModelRepository(workspace.triton, contracts()).models_folder))
    with in_one_process(plan, scratch) as peer:
        yield peer


@contextmanager
def in_one_process(plan: OneProcessPlan, scratch: Path) -> Iterator[Contestant]:
    """A `benchmarks.one_process_peer` of this plan while the body runs."""
    with _peer("one process", "benchmarks.one_process_peer", asdict(plan), scratch) as peer:
        yield peer


@contextmanager
def _peer(name: str, module: str, plan: dict[str, Any], scratch: Path) -> Iterator[Contestant]:
    path = scratch / f"{module}.json"
    path.write_text(json.dumps(plan))
    with subprocess.Popen(
        [sys.executable, "-m", module, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # As Ray gives its actors: threads of NumPy's products would wait for each other on every call.
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"the {name} ended with status {process.wait()} before it served")
            own = psutil.Process(process.pid)
            yield Contestant(name, address, lambda: [own])
        finally:
            process.stdin.close()
            process.wait(30)
