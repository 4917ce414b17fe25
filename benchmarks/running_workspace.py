"""The whole service over a copy of a workspace, for faults to be injected into."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import yaml

from benchmarks.closed_loop import Plan, drive_in_process
from benchmarks.steady_load import LoadPlan, SteadyLoad, steady_load
from server.ingress_settings import IngressKind
from shopfront.serve import Serving, seed_user_state, serving
from shopfront.settings import Settings, load_settings
from shopfront.workspace import DEFAULT_FILE, PROJECT, Workspace
from snapshot.dataset import DatasetStore
from testing.redis_server import RedisServer, running_redis
from triton_repo.process_ends import wait_until_ended

SCENE = "home"
StateKind = Literal["lmdb", "redis"]
# What the router writes anew lies elsewhere, so that the workspace itself may be served meanwhile.
_COPIED = ("datasets", "snapshots", "triton/models")
_CAPACITY_REQUESTS = 160
_DEADLINES = ("timeout_ms", "budget_ms")


@dataclass(frozen=True)
class RunningWorkspace:
    """A running service under load; `redis` where user state lies there."""

    ingress: IngressKind
    state: StateKind
    workspace: Workspace
    settings: Settings
    served: Serving
    load: SteadyLoad
    plan: LoadPlan
    capacity_per_s: float
    redis: RedisServer | None

    def pids(self, title: str) -> list[int]:
        """Process ids of the router's processes whose command line or name begins with `title`."""
        return [
            process.pid for process in self.served.router.processes() if title_of(process).startswith(title)
        ]

    def processes(self) -> list[psutil.Process]:
        """Every process of the service, the router's and Triton's."""
        found = list(self.served.router.processes())
        triton = self.served.triton
        if triton is not None and triton.pid is not None:
            server = psutil.Process(triton.pid)
            found += [server, *server.children(recursive=True)]
        return found


@contextmanager
def running_workspace(
    source: Workspace,
    ingress: IngressKind,
    state: StateKind,
    *,
    rate: float | None,
    slack: float,
    report: Callable[[str], None],
) -> Iterator[RunningWorkspace]:
    """The service over a copy of `source` under a steady load, while the body runs.

    rate   recommendations per second; None: a third of what eight callers in a closed loop get answered now
    slack  times every deadline of the scenes is lengthened, for a machine that is busy with other work
    """
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-", dir=PROJECT / "build"))
        )
        workspace = copy_of(source, folder / "workspace")
        redis = stack.enter_context(running_redis()) if state == "redis" else None
        settings = _settings(workspace, ingress, redis, slack)
        dataset = DatasetStore(workspace.datasets).open_current(verify=False)
        seed_user_state(workspace, dataset.manifest.id, settings.router, lambda done, of: None)
        served = stack.enter_context(serving(workspace, settings, report))
        users = dataset.users()["user_id"].sample(fraction=1.0, shuffle=True, seed=1).to_list()
        capacity = _capacity(served.address, users, folder)
        recommend_per_s = rate or min(60.0, max(5.0, capacity / 3))
        items = dataset.catalogue.item_ids(_some_items(dataset.catalogue.size))
        plan = LoadPlan(served.address, SCENE, users, items, recommend_per_s, recommend_per_s / 3)
        load = stack.enter_context(steady_load(plan))
        yield RunningWorkspace(ingress, state, workspace, settings, served, load, plan, capacity, redis)


def copy_of(source: Workspace, target: Path) -> Workspace:
    """What serving needs of a workspace, its immutable files by hard links where the file system has them."""
    for part in _COPIED:
        shutil.copytree(source.root / part, target / part, symlinks=True, copy_function=_link)
    return Workspace(target)


def title_of(process: psutil.Process) -> str:
    """The command line of a process, or its name where it has none; "" where it is gone."""
    try:
        return " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return ""


def left_behind(processes: list[psutil.Process]) -> list[str]:
    """Which of these still run, by their command lines."""
    return [title_of(process) for process in wait_until_ended(processes, 10.0)]


def _link(source: str, target: str) -> None:
    if Path(source).suffix == ".pbtxt":
        # Serving rewrites it.
        shutil.copy2(source, target)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _settings(
    workspace: Workspace, ingress: IngressKind, redis: RedisServer | None, slack: float
) -> Settings:
    settings = load_settings(DEFAULT_FILE, workspace)
    router = settings.router
    scenes = workspace.root / "scenes.yaml"
    scenes.write_text(yaml.safe_dump(_lengthened(yaml.safe_load(router.scenes.read_text()), slack)))
    experiments = workspace.root / "experiments.yaml"
    experiments.write_text("layers: {}\n")
    ranking = router.ranking
    update: dict[str, Any] = {
        "scenes": scenes,
        "experiments": experiments,
        "ingress": router.ingress.model_copy(update={"address": "127.0.0.1:0", "kind": ingress}),
        "metrics": router.metrics.model_copy(update={"port": 0}),
        "ranking": ranking.model_copy(
            update={
                "score_timeout_ms": ranking.score_timeout_ms * slack,
                "interests_timeout_ms": ranking.interests_timeout_ms * slack,
            }
        ),
    }
    if redis is not None:
        update["state"] = router.state.model_copy(update={"url": redis.url})
        update["rollout"] = router.rollout.model_copy(update={"url": redis.url})
    return settings.model_copy(update={"router": router.model_copy(update=update)})


def _lengthened(tree: Any, factor: float) -> Any:
    if isinstance(tree, dict):
        return {
            key: value * factor if key in _DEADLINES and value is not None else _lengthened(value, factor)
            for key, value in tree.items()
        }
    return [_lengthened(value, factor) for value in tree] if isinstance(tree, list) else tree


def _capacity(address: str, users: list[str], folder: Path) -> float:
    plan = Plan(address, SCENE, users, 8, _CAPACITY_REQUESTS)
    try:
        return drive_in_process(plan, folder).per_second
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"the capacity cannot be measured: {error.stderr[-2_000:]}") from error


def _some_items(size: int) -> Any:
    import numpy as np

    return np.arange(1, min(size, 1_000) + 1, dtype=np.int32)
