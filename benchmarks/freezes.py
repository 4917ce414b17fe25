"""Processes that stop answering (SIGSTOP), for a minute or until something ends them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.running_workspace import RunningWorkspace, title_of
from testing.frozen_processes import freeze_inside_write, frozen, killed_after

_FROZEN_S = 60.0
_RANKING = "bst"


def freeze_replica(service: RunningWorkspace) -> dict[str, Any]:
    """One replica of the router."""
    return _frozen(service.served.router.replica_pids()[:1])


def freeze_writing_replica(service: RunningWorkspace) -> dict[str, Any]:
    """One replica while it holds the write lock of the state, so that the other cannot store events."""
    state = Path(service.settings.router.state.url.removeprefix("lmdb://"))
    replicas = service.served.router.replica_pids
    return _frozen(
        [
            freeze_inside_write(
                service.served.address, state, replicas, service.plan.users[0], service.plan.items[0]
            )
        ]
    )


def freeze_haproxy(service: RunningWorkspace) -> dict[str, Any]:
    """HAProxy, which keeps its port and the connections."""
    return _frozen(
        [
            process.pid
            for process in service.served.router.processes()
            if Path(title_of(process).split(" ")[0]).name == "haproxy"
        ]
    )


def freeze_controller(service: RunningWorkspace) -> dict[str, Any]:
    """Ray Serve's controller, which replaces replicas."""
    return _frozen(service.pids("ray::ServeController"))


def freeze_model_process(service: RunningWorkspace) -> dict[str, Any]:
    """Every process that runs the ranking model; Triton goes on to report it as ready."""
    assert service.served.triton is not None
    server = psutil.Process(service.served.triton.pid)
    return _frozen(
        [child.pid for child in server.children(recursive=True) if f"/{_RANKING}/" in title_of(child)]
    )


def freeze_router_process(service: RunningWorkspace) -> dict[str, Any]:
    """The process that started Ray and watches it."""
    return _frozen(
        [
            process.pid
            for process in service.served.router.processes()
            if process.pid == os.getsid(process.pid)
        ]
    )


def _frozen(victims: Sequence[int]) -> dict[str, Any]:
    if not victims:
        raise RuntimeError("there is no such process")
    with frozen(victims) as processes:
        killed_s = killed_after(processes, _FROZEN_S)
    if killed_s is None:
        raise RuntimeError(f"it did not answer for {_FROZEN_S:.0f} s and was not replaced")
    return {"killed_s": killed_s}
