"""Faults of the parts that hold the router together: each ends with another router in its place."""

import os
import time
from collections.abc import Callable
from typing import Any

import psutil

from benchmarks.running_workspace import RunningWorkspace
from server.ingress.sessions import program_of

_NEW_ROUTER_LIMIT_S = 240.0


def kill_router_process(service: RunningWorkspace) -> dict[str, Any]:
    """Kills the process that started Ray; Ray's own processes end with it."""
    return _router_replaced(service, lambda process: process.pid == os.getsid(process.pid))


def kill_raylet(service: RunningWorkspace) -> dict[str, Any]:
    """Kills what starts Ray's workers on this machine."""
    return _router_replaced(service, lambda process: program_of(process) == "raylet")


def kill_gcs(service: RunningWorkspace) -> dict[str, Any]:
    """Kills what knows Ray's nodes and actors."""
    return _router_replaced(service, lambda process: program_of(process) == "gcs_server")


def _router_replaced(
    service: RunningWorkspace, is_victim: Callable[[psutil.Process], bool]
) -> dict[str, Any]:
    """Kills one process of the router's and waits until another router serves in its place."""
    router = service.served.router
    victims = [process for process in router.processes() if is_victim(process)]
    if len(victims) != 1:
        raise RuntimeError(f"one such process is expected, there are {len(victims)}")
    began = time.monotonic()
    victims[0].kill()
    while service.served.router is router:
        if time.monotonic() - began > _NEW_ROUTER_LIMIT_S:
            raise RuntimeError(f"the router was not replaced: {service.served.watcher.given_up}")
        time.sleep(0.05)
    return {"replaced_s": time.monotonic() - began}
