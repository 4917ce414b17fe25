"""The faults: each breaks or changes a part of a `RunningWorkspace` and returns its observations."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.change_injections import (
    change_experiments,
    change_scenes,
    corrupt_snapshot,
    promote_model,
    swap_snapshot,
)
from benchmarks.freezes import (
    freeze_controller,
    freeze_haproxy,
    freeze_model_process,
    freeze_replica,
    freeze_router_process,
    freeze_writing_replica,
)
from benchmarks.router_faults import kill_gcs, kill_raylet, kill_router_process
from benchmarks.running_workspace import RunningWorkspace, title_of

_RANKING = "bst"
_CHANGE_LIMIT_S = 30.0
_CRASH_LOOP_S = 20.0
_REDIS_DOWN_S = 2.0


@dataclass(frozen=True)
class Fault:
    """A fault and how long, in seconds, callers may feel it before it counts as never healed."""

    name: str
    inject: Callable[[RunningWorkspace], dict[str, Any]]
    limit_s: float = 30.0
    spares_somebody: bool = True
    """Whether something is left that answers; else calls may fail until it is back."""


def nothing(service: RunningWorkspace) -> dict[str, Any]:
    """No fault: what is usual on this machine."""
    time.sleep(6.0)
    return {}


def kill_triton(service: RunningWorkspace) -> dict[str, Any]:
    """Kills the tritonserver process."""
    os.kill(_triton_pid(service), signal.SIGKILL)
    return {}


def kill_model_process(service: RunningWorkspace) -> dict[str, Any]:
    """Kills the process of the ranking version that answers."""
    version = next(call.model_version for call in reversed(service.load.sent) if call.model_version)
    for process in psutil.Process(_triton_pid(service)).children(recursive=True):
        if f"/{_RANKING}/{version}/" in title_of(process):
            process.kill()
            return {"version": version}
    raise RuntimeError(f"no process runs version {version} of {_RANKING}")


def hang_triton(service: RunningWorkspace) -> dict[str, Any]:
    """Triton stays connected and answers nobody."""
    os.kill(_triton_pid(service), signal.SIGSTOP)
    return {}


def crash_triton_for_20_s(service: RunningWorkspace) -> dict[str, Any]:
    """Every Triton that is started within 20 seconds is killed as soon as it is there."""
    until = time.monotonic() + _CRASH_LOOP_S
    killed: set[int] = set()
    while time.monotonic() < until:
        assert service.served.triton is not None
        pid = service.served.triton.pid
        if pid is not None and pid not in killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.02)
    return {"killed": len(killed)}


def kill_replica(service: RunningWorkspace) -> dict[str, Any]:
    """Kills one replica of the router."""
    victim = service.served.router.replica_pids()[0]
    return _killed_and_replaced(service, [victim], service.served.router.replica_pids)


def kill_all_replicas(service: RunningWorkspace) -> dict[str, Any]:
    """Kills all replicas of the router."""
    return _killed_and_replaced(
        service, service.served.router.replica_pids(), service.served.router.replica_pids
    )


def kill_controller(service: RunningWorkspace) -> dict[str, Any]:
    """Kills Ray Serve's controller, which replaces replicas and reports them to HAProxy."""
    return _killed_and_replaced(
        service, service.pids("ray::ServeController"), lambda: service.pids("ray::ServeController")
    )


def kill_haproxy(service: RunningWorkspace) -> dict[str, Any]:
    """Kills HAProxy."""
    return _killed_and_replaced(service, _haproxy_pids(service), lambda: _haproxy_pids(service))


def kill_haproxy_manager(service: RunningWorkspace) -> dict[str, Any]:
    """Kills the process of Ray Serve's that configures HAProxy."""
    return _killed_and_replaced(
        service, service.pids("ray::HAProxyManager"), lambda: service.pids("ray::HAProxyManager")
    )


def kill_redis(service: RunningWorkspace) -> dict[str, Any]:
    """Redis is killed and started again two seconds later."""
    assert service.redis is not None
    service.redis.kill()
    time.sleep(_REDIS_DOWN_S)
    service.redis.start()
    return {"down_s": _REDIS_DOWN_S}


def freeze_redis(service: RunningWorkspace) -> dict[str, Any]:
    """Redis stays connected and answers nobody for two seconds."""
    assert service.redis is not None
    service.redis.freeze()
    time.sleep(_REDIS_DOWN_S)
    service.redis.thaw()
    return {"frozen_s": _REDIS_DOWN_S}


def _triton_pid(service: RunningWorkspace) -> int:
    assert service.served.triton is not None
    pid = service.served.triton.pid
    if pid is None:
        raise RuntimeError("Triton does not run")
    return pid


def _haproxy_pids(service: RunningWorkspace) -> list[int]:
    return [
        process.pid
        for process in service.served.router.processes()
        if Path(title_of(process).split(" ")[0]).name == "haproxy"
    ]


def _killed_and_replaced(
    service: RunningWorkspace, victims: Sequence[int], now: Callable[[], Sequence[int]]
) -> dict[str, Any]:
    if not victims:
        raise RuntimeError("there is no such process")
    count = len(now())
    began = time.monotonic()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    while time.monotonic() - began < _CHANGE_LIMIT_S:
        there = set(now())
        if not there & set(victims) and len(there) >= count:
            return {"killed": len(victims), "replaced_s": time.monotonic() - began}
        time.sleep(0.1)
    return {"killed": len(victims), "replaced_s": None}


_ROUTER_KILLED = (
    Fault("kill -9 of Ray's raylet", kill_raylet, 60.0),
    Fault("kill -9 of Ray's gcs_server", kill_gcs, 60.0),
    Fault("kill -9 of the router's process", kill_router_process, 60.0),
)

ON_LMDB = (
    Fault("none", nothing),
    Fault("kill -9 tritonserver", kill_triton),
    Fault("kill -9 of the ranking process", kill_model_process),
    Fault("Triton hangs (SIGSTOP)", hang_triton, 40.0),
    Fault("kill -9 of a replica", kill_replica),
    Fault("kill -9 of all replicas", kill_all_replicas, spares_somebody=False),
    Fault("kill -9 of Serve's controller", kill_controller),
    Fault("kill -9 of HAProxy", kill_haproxy),
    Fault("kill -9 of HAProxy's manager", kill_haproxy_manager),
    Fault("snapshot swap", swap_snapshot),
    Fault("corrupt snapshot", corrupt_snapshot),
    Fault("scenes changed, well and wrongly", change_scenes),
    Fault("experiments changed, well and wrongly", change_experiments),
    Fault("model promoted by a rollout", promote_model),
    Fault("Triton dies for 20 s", crash_triton_for_20_s, 40.0),
    Fault("SIGSTOP of a replica", freeze_replica),
    Fault("SIGSTOP of a replica inside a write", freeze_writing_replica),
    Fault("SIGSTOP of HAProxy", freeze_haproxy),
    Fault("SIGSTOP of Serve's controller", freeze_controller),
    Fault("SIGSTOP of the ranking processes", freeze_model_process, 40.0),
    *_ROUTER_KILLED,
    Fault("SIGSTOP of the router's process", freeze_router_process, 60.0),
)
"""Faults of a service behind its default ingress, state in LMDB."""

ON_REDIS = (
    Fault("none", nothing),
    Fault("kill -9 of Redis, back after 2 s", kill_redis),
    Fault("Redis frozen for 2 s", freeze_redis),
    Fault("kill -9 of a replica", kill_replica),
    Fault("kill -9 of all replicas", kill_all_replicas, spares_somebody=False),
    Fault("kill -9 of Serve's controller", kill_controller),
    Fault("SIGSTOP of a replica", freeze_replica),
    *_ROUTER_KILLED,
    Fault("SIGSTOP of the router's process", freeze_router_process, 60.0),
)
"""Faults of a service behind its own gRPC servers, state in Redis."""
