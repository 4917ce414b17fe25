"""Starts Triton and the router over a workspace, and stops every process it started."""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from foundation.telemetry.metrics.endpoint import prepare_folder, serve_metrics
from foundation.telemetry.metrics.supervision_metrics import Part, SupervisionMetrics
from models.contracts import contracts
from router.ranking.settings import InReplicaSettings
from server.ingress.launcher import start_router
from server.ingress.ports import free_ports
from server.ingress.router_handle import RouterHandle
from server.ingress.watch import RouterEvent, RouterWatcher
from server.settings import RouterSettings
from shopfront.settings import Settings
from shopfront.watched_process import Change
from shopfront.workspace import Workspace
from snapshot.dataset import DatasetStore
from snapshot.durable_files import write_durably
from snapshot.last_good import open_usable
from snapshot.store import SnapshotStore
from state.registry import open_state
from state.seed import seed_state
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings
from triton_repo.watch import TritonWatcher, WatchEvent


@dataclass(frozen=True)
class Serving:
    """A workspace being served.

    address: host:port of the router's gRPC; metrics_port: None where metrics are off; triton: None where
    someone else runs it; counts: of what is supervised.
    """

    address: str
    metrics_port: int | None
    watcher: RouterWatcher
    triton: TritonServer | None
    counts: SupervisionMetrics

    def count(self, part: Part) -> Callable[[Change], None]:
        """What counts the changes of a process beside the router."""
        counters = {
            "lost": self.counts.lost,
            "restarted": self.counts.restarted,
            "failed": self.counts.failed,
        }
        return lambda change: counters[change](part)

    @property
    def router(self) -> RouterHandle:
        """The router that serves now; another one after it was started anew."""
        return self.watcher.router


@contextmanager
def serving(
    workspace: Workspace, settings: Settings, report: Callable[[str], None], *, restarts: bool = True
) -> Iterator[Serving]:
    """Serve the workspace's published snapshot while the body runs.

    report    called with one line, from another thread, when Triton or the router dies and when it is back
    restarts  start a router anew that has died; else, or where that fails too often, see `watcher.given_up`

    Raises TritonStartError or RouterStartError, with nothing left running, where a part does not start.
    """
    counts = _supervision_metrics(settings.router)
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(max_workers=2, thread_name_prefix="start"))
        triton, url = _triton(workspace, settings)
        router_settings = settings.router.model_copy(
            update={"ranking": settings.router.ranking.model_copy(update={"url": url})}
        )
        metrics_port = _serve_metrics(router_settings, counts, stack)
        starting = threads.submit(triton.start) if triton is not None else None
        if triton is not None:
            stack.callback(triton.stop)
        # Both take seconds and neither needs the other to start.
        cancelled = threading.Event()
        router_starting = threads.submit(
            start_router, router_settings, plugins=settings.plugins, cancel=cancelled
        )
        try:
            if starting is not None and triton is not None:
                starting.result()
                triton_watcher = TritonWatcher(triton, lambda event: _tell_triton(event, counts, report))
                triton_watcher.start()
                stack.callback(triton_watcher.stop)
        except BaseException:
            # Why Triton does not start is said at once, not when the router is up or has given up.
            cancelled.set()
            raise
        finally:
            # Also where Triton failed: a router that came up meanwhile must be stopped.
            error = router_starting.exception()
            if error is None:
                watcher = RouterWatcher(
                    router_starting.result(),
                    lambda event: _tell_router(event, counts, report),
                    restarts=restarts,
                )
                watcher.start()
                stack.callback(watcher.stop)
        address = router_starting.result().address
        write_durably(workspace.serving_record, json.dumps({"address": address, "triton": url}).encode())
        stack.callback(workspace.serving_record.unlink, missing_ok=True)
        yield Serving(address, metrics_port, watcher, triton, counts)


def _tell_router(event: RouterEvent, counts: SupervisionMetrics, report: Callable[[str], None]) -> None:
    match event.kind:
        case "lost":
            counts.lost("router")
            report(f"the router is lost: {event.detail}")
        case "restarted":
            counts.restarted("router")
            report(f"{event.detail} (start {event.attempt})")
        case "failed":
            counts.failed("router")
            report(f"{event.detail} (start {event.attempt})")
        case "crashed" | "stopped":
            report(event.detail)
        case "given_up":
            # Reported by the command that ends because of it.
            pass


def _tell_triton(event: WatchEvent, counts: SupervisionMetrics, report: Callable[[str], None]) -> None:
    if event.kind == "died":
        counts.lost("triton")
    elif event.kind == "restarted":
        counts.restarted("triton")
    elif event.kind == "failed":
        counts.failed("triton")
    report(event.detail)


def running_triton(workspace: Workspace) -> str | None:
    """host:port of the Triton that serves this workspace now; None where nobody serves it."""
    if not workspace.is_held("serving"):
        return None
    try:
        return str(json.loads(workspace.serving_record.read_text())["triton"])
    except FileNotFoundError:
        # Still starting: Triton will find the new version in the repository by itself.
        return None


def _triton(workspace: Workspace, settings: Settings) -> tuple[TritonServer | None, str]:
    if settings.triton.url:
        return None, settings.triton.url
    embedded = settings.triton.embedded
    port = embedded.grpc_port or free_ports(1)[0]
    server = TritonServer(
        ModelRepository(workspace.triton, contracts()),
        workspace.logs / "triton.log",
        embedded.model_copy(
            update={
                "grpc_port": port,
                "models": _models(workspace, embedded.models, settings.router.ranking.in_replica),
            }
        ),
    )
    return server, f"127.0.0.1:{port}"


def _models(
    workspace: Workspace, configured: Mapping[str, ModelSettings], in_replica: InReplicaSettings
) -> dict[str, ModelSettings]:
    """The configured models and those that the published snapshot names beside them (prerank)."""
    named = open_usable(SnapshotStore(workspace.snapshots)).opened.manifest.models
    # What replicas run themselves is here for one that cannot, and holds no memory until then.
    run_elsewhere = in_replica.models if in_replica.folder is not None else ()
    return {
        **{
            model: ModelSettings(opened="when_called" if model in run_elsewhere else "at_start")
            for model in named
        },
        **configured,
    }


def _supervision_metrics(settings: RouterSettings) -> SupervisionMetrics:
    if not settings.metrics.enabled:
        return SupervisionMetrics()
    folder = Path(settings.metrics.folder)
    prepare_folder(folder)
    return SupervisionMetrics(folder)


def _serve_metrics(settings: RouterSettings, counts: SupervisionMetrics, stack: ExitStack) -> int | None:
    if not settings.metrics.enabled:
        return None
    folder = Path(settings.metrics.folder)
    server = serve_metrics(
        settings.metrics.port, folder, host=settings.metrics.host, registry=counts.registry
    )
    stack.callback(server.close)
    return server.port


def seed_user_state(
    workspace: Workspace, dataset: str, settings: RouterSettings, progress: Callable[[int, int], None]
) -> bool:
    """Fill the user state with a data set's histories and profiles; False where that was done before."""
    store = open_state(settings.state)
    try:
        opened = DatasetStore(workspace.datasets).open(dataset, verify=False)
        return seed_state(store, opened, settings.state, progress)
    finally:
        store.close()


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that is set by SIGINT (Ctrl-C) or SIGTERM while the body runs."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
