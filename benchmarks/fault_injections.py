"""The faults: each breaks or changes a part of a `RunningWorkspace` and returns its observations.

An injection that changes something on purpose (a snapshot, a configuration, a model) returns once the change
holds on every replica, and says how long that took; RuntimeError where it does not come.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import msgspec
import psutil
import yaml

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
from benchmarks.steady_load import Sent
from protos.shopfront.v1 import recommend_pb2, recommend_pb2_grpc, rollout_pb2, rollout_pb2_grpc
from snapshot.store import SnapshotStore
from triton_repo.manifest import MANIFEST, read_manifest, write_manifest
from triton_repo.repository import ModelRepository

_RANKING = "bst"
_CHANGE_LIMIT_S = 30.0
_CRASH_LOOP_S = 20.0
_REDIS_DOWN_S = 2.0
# Every replica must have answered so: two replicas, and this many answers in a row.
_IN_A_ROW = 20


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
    """Kills Ray Serve's controller, which replaces replicas and tells HAProxy of them."""
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


def swap_snapshot(service: RunningWorkspace) -> dict[str, Any]:
    """A new snapshot is published and takes over."""
    began = time.monotonic()
    id = _sealed_copy(service)
    sealed = time.monotonic()
    SnapshotStore(service.workspace.snapshots).publish(id)
    _wait(service, lambda call: call.snapshot == id, f"snapshot {id} did not take over")
    return {"seal_s": sealed - began, "took_over_s": time.monotonic() - sealed}


def corrupt_snapshot(service: RunningWorkspace) -> dict[str, Any]:
    """`current` points at a snapshot with one byte wrong; it must be refused and the old one serve."""
    store = SnapshotStore(service.workspace.snapshots)
    serving = store.current_id()
    assert serving is not None
    id = _sealed_copy(service)
    victim = max((path for path in (store.root / id).rglob("*.npy")), key=lambda path: path.stat().st_size)
    _damage(victim)
    began = time.monotonic()
    _point(store, id)
    time.sleep(3.0)
    _point(store, serving)
    served = {call.snapshot for call in service.load.since(began) if call.snapshot}
    if id in served:
        raise RuntimeError(f"the corrupt snapshot {id} served")
    return {"refused": True}


def change_scenes(service: RunningWorkspace) -> dict[str, Any]:
    """A good edit of the scenes takes over; a wrong one afterwards changes nothing."""
    path = service.settings.router.scenes
    content = yaml.safe_load(path.read_text())
    content["scenes"]["cart"]["page"] = {"default_size": 7}
    began = time.monotonic()
    _replace(path, yaml.safe_dump(content))
    _ask_until(service, lambda answer: len(answer.items) == 7, "the new scenes did not take over")
    took_s = time.monotonic() - began
    good = path.read_text()
    content["scenes"]["cart"]["page"] = {"default_sise": 3}
    _replace(path, yaml.safe_dump(content))
    time.sleep(2.0)
    _ask_until(service, lambda answer: len(answer.items) == 7, "a wrong edit of the scenes changed an answer")
    _replace(path, good)
    return {"took_over_s": took_s}


def change_experiments(service: RunningWorkspace) -> dict[str, Any]:
    """A new experiment begins; a wrong edit afterwards does not end it."""
    path = service.settings.router.experiments
    assert path is not None
    arms = {"as-it-is": {"share_bp": 5_000}, "other": {"share_bp": 5_000, "patch": {"candidates": 150}}}
    layers = {"recall": {"experiments": {"narrower": {"scenes": ["cart"], "arms": arms}}}}
    began = time.monotonic()
    _replace(path, yaml.safe_dump({"layers": layers}))
    _ask_until(service, lambda answer: "narrower" in answer.arms, "the new experiment did not begin")
    took_s = time.monotonic() - began
    _replace(path, yaml.safe_dump({"layers": layers, "layer": {}}))
    time.sleep(2.0)
    _ask_until(service, lambda answer: "narrower" in answer.arms, "a wrong edit ended an experiment")
    _replace(path, yaml.safe_dump({"layers": {}}))
    return {"took_over_s": took_s}


def promote_model(service: RunningWorkspace) -> dict[str, Any]:
    """A new version of the ranking model is rolled out to half of the shoppers, then promoted to all."""
    began = time.monotonic()
    repository = ModelRepository(service.workspace.triton)
    with grpc.insecure_channel(service.served.address) as channel:
        stub = rollout_pb2_grpc.RolloutServiceStub(channel)
        stable = stub.GetRollout(rollout_pb2.GetRolloutRequest(), timeout=10).stable_version
        candidate = _copied_version(repository, stable)
        stub.StartRollout(
            rollout_pb2.StartRolloutRequest(
                candidate=candidate,
                stages=[
                    rollout_pb2.RolloutStage(weight_bp=5_000, min_duration_s=300.0, min_samples=10_000),
                    rollout_pb2.RolloutStage(weight_bp=10_000, min_duration_s=1.0, min_samples=1),
                ],
                deadline_s=120.0,
                settle_s=2.0,
                operator="benchmark",
            ),
            timeout=10,
        )
        _wait_phase(stub, ("running",))
        half = time.monotonic()
        _wait(service, lambda call: call.model_version == str(candidate), "the candidate answers nobody", 1)
        stub.PromoteRollout(rollout_pb2.ChangeRolloutRequest(operator="benchmark"), timeout=10)
        _wait(service, lambda call: call.model_version == str(candidate), "the candidate was not promoted")
        promoted = time.monotonic()
        _wait_phase(stub, ("promoted",))
    return {
        "from": stable,
        "to": candidate,
        "prepared_s": half - began,
        "promoted_s": promoted - half,
        "settled_s": time.monotonic() - promoted,
    }


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


def _wait(
    service: RunningWorkspace, holds: Callable[[Sent], bool], complaint: str, in_a_row: int = _IN_A_ROW
) -> None:
    began = time.monotonic()
    while time.monotonic() - began < _CHANGE_LIMIT_S:
        answers = [
            call for call in service.load.since(began) if call.kind == "recommend" and call.model_version
        ]
        last = answers[-in_a_row:]
        if len(last) == in_a_row and all(map(holds, last)):
            return
        time.sleep(0.05)
    raise RuntimeError(complaint)


def _ask_until(
    service: RunningWorkspace, holds: Callable[[recommend_pb2.RecommendResponse], bool], complaint: str
) -> None:
    """Asks for the cart scene until the answer is so, many times in a row, over connections of their own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(service.served.address, options=options) for _ in range(4)]
    stubs = [recommend_pb2_grpc.RecommendServiceStub(channel) for channel in channels]
    until, row, turn = time.monotonic() + _CHANGE_LIMIT_S, 0, 0
    try:
        while row < _IN_A_ROW:
            if time.monotonic() > until:
                raise RuntimeError(complaint)
            request = recommend_pb2.RecommendRequest(scene="cart", user_id=service.plan.users[turn % 50])
            answer = stubs[turn % len(stubs)].Recommend(request, timeout=10)
            row = row + 1 if holds(answer) else 0
            turn += 1
    finally:
        for channel in channels:
            channel.close()


def _wait_phase(stub: rollout_pb2_grpc.RolloutServiceStub, phases: Sequence[str]) -> None:
    until = time.monotonic() + _CHANGE_LIMIT_S
    while True:
        status = stub.GetRollout(rollout_pb2.GetRolloutRequest(), timeout=10)
        if status.phase in phases:
            return
        if time.monotonic() > until or status.phase in ("refused", "rolled_back", "aborted", "expired"):
            raise RuntimeError(f"the rollout is {status.phase}, not {phases}: {status.reason}")
        time.sleep(0.1)


def _sealed_copy(service: RunningWorkspace) -> str:
    """A new snapshot with the content of the current one."""
    store = SnapshotStore(service.workspace.snapshots)
    current = store.open_current(verify=False)
    staged = store.stage()
    try:
        for part in sorted(current.path.iterdir()):
            if part.is_dir():
                shutil.copytree(part, staged / part.name)
        manifest = msgspec.structs.replace(
            current.manifest, id=f"{current.manifest.id}-{time.monotonic_ns()}", created_at="", files={}
        )
        return store.seal(staged, manifest)
    finally:
        store.discard(staged)


def _copied_version(repository: ModelRepository, version: int) -> int:
    """A new version of the ranking model with the content of another."""
    source = repository.version_folder(_RANKING, version)
    staged = repository.stage(_RANKING)
    shutil.copytree(source, staged, dirs_exist_ok=True)
    manifest = read_manifest(staged)
    (staged / MANIFEST).unlink()
    write_manifest(staged, manifest)
    return repository.add_version(_RANKING, staged)


def _damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.chmod(0o644)
    file.write_bytes(content)


def _point(store: SnapshotStore, id: str) -> None:
    """Publishes without verifying, as a broken publisher would."""
    link = store.root / ".current-by-hand"
    link.symlink_to(id, target_is_directory=True)
    link.replace(store.root / "current")


def _replace(path: Path, content: str) -> None:
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(content)
    fresh.replace(path)


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
