"""The faults that change or damage what is served: snapshots, configurations, models.

An injection that changes something on purpose returns once the change holds on every replica, and says how
long that took; RuntimeError where it does not come.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import msgspec
import yaml

from benchmarks.running_workspace import RunningWorkspace
from benchmarks.steady_load import Sent
from protos.shopfront.v1 import recommend_pb2, recommend_pb2_grpc, rollout_pb2, rollout_pb2_grpc
from snapshot.store import SnapshotStore
from triton_repo.manifest import MANIFEST, read_manifest, write_manifest
from triton_repo.repository import ModelRepository

_RANKING = "bst"
_CHANGE_LIMIT_S = 30.0
# Every replica must have answered so: two replicas, and this many answers in a row.
_IN_A_ROW = 20


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
