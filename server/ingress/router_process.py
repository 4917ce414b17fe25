"""The process that starts Ray, deploys the replicas and stays until its standard input ends.

Started by `server.ingress.launcher`, never by hand. A process of its own, because Ray Serve reads its
environment when it is imported, takes over signal handlers, and must not die of a Ctrl-C meant for the
program around it.

Reads one JSON line (`StartRequest`), answers one JSON line (`ProcessStatus`), and stops when standard input
reaches its end: when the starter closes it, or dies.

It sends a sign of life twice a second, so that one that hangs is recognised. Where Ray is lost it reports
so in one more line and keeps running, since the replicas continue to answer: the starter decides when they
end. It then ends them without Ray.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from foundation.collection import collection_paused
from foundation.storage.private_files import keep_files_private
from foundation.telemetry.metrics.counts_file import flush_counts
from foundation.telemetry.metrics.process_metrics import ProcessMetrics, open_metrics
from server.connection_metrics import ConnectionMetrics
from server.ingress.application import QUIET, StartedSettings, application_of
from server.ingress.haproxy_drain import refuse_new_calls
from server.ingress.haproxy_replicas import wait_for_replicas
from server.ingress.haproxy_watch import HaproxyWatch
from server.ingress.process_status import ProcessStatus
from server.ingress.ray_environment import local_environment, serve_environment
from server.ingress.ray_side_processes import without_side_processes
from server.ingress.session_folder import hold
from server.ingress.sessions import kill_all, program_of, session_processes
from server.ingress.start_check import StartCheck, in_one_line
from server.ingress_settings import split_address

if TYPE_CHECKING:
    from server.ingress.ray_watch import RayWatch

logger = logging.getLogger(__name__)

APPLICATION = "shopfront"
_BEAT = msgspec.json.encode(ProcessStatus(beat=True)) + b"\n"
_LOOK_S = 0.1
_LISTED_S = 10.0
_CREATE = "_create_controller_and_proxy_refs"
LOST_RAY = 3
"""Exit status of a process whose Ray was lost."""


class StartRequest(msgspec.Struct, frozen=True):
    """What to start."""

    settings: dict[str, Any]
    """`RouterSettings` as JSON values."""
    folder: str
    """A folder with a short path that this router alone uses."""
    plugins: tuple[str, ...] = ()
    """Modules to load before the settings are read."""


def main() -> int:
    """Runs until standard input ends; the exit status: 0, 1 where the router never answered, `LOST_RAY`."""
    keep_files_private()
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=StartRequest)
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    # What Ray prints must not get between the lines.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    folder = Path(request.folder)
    hold(folder, leads=True)
    settings: StartedSettings | None = None
    watch: RayWatch | None = None
    try:
        # What it imports, and Ray, which is imported meanwhile, take a second of a core each.
        check = StartCheck(request.settings, request.plugins)
        started = StartedSettings.model_validate(request.settings)
        _import_ray(started, request, folder)
        failure = check.failure()
        if not failure:
            settings = started
            watch = _start(settings, request, folder)
        outcome = ProcessStatus(error=failure)
    except Exception as error:
        logger.exception("the router does not start")
        outcome = ProcessStatus(error=in_one_line(error))
    output.write(msgspec.json.encode(outcome) + b"\n")
    if settings is not None:
        loss = None
        if watch is not None:
            proxies = _watch_haproxy(settings, folder)
            loss = _wait(watch, settings.ray.look_interval_s, output)
            if proxies is not None:
                proxies.stop()
        if loss is not None:
            # Ray's own way of stopping would call the GCS, and wait for it for minutes.
            _leave_nothing(folder)
            os._exit(LOST_RAY)
        _stop(settings, folder)
    _leave_nothing(folder)
    status = 1 if watch is None else 0
    if settings is None or settings.ray.address:
        return status
    # What Ray does at a program's end would wait for its processes, which are gone, for seconds.
    flush_counts()
    os._exit(status)


def _leave_nothing(folder: Path) -> None:
    """Kills what is left of this session; workers that missed their raylet's end would stay for minutes."""
    kill_all(process for process in session_processes(os.getpid()) if process.pid != os.getpid())
    shutil.rmtree(folder, ignore_errors=True)


def _watch_haproxy(settings: StartedSettings, folder: Path) -> HaproxyWatch | None:
    """The watch over the HAProxy of a local node; None where there is none."""
    if settings.ingress.kind != "haproxy" or settings.ray.address:
        return None
    counted = open_metrics(Path(settings.metrics.folder)) if settings.metrics.enabled else ProcessMetrics()
    watch = HaproxyWatch(
        folder,
        counted.group(ConnectionMetrics),
        wanted=settings.ingress.limits.connections,
        silent_after_s=settings.supervision.haproxy_silent_s,
        kill=lambda: kill_all(
            process for process in session_processes(os.getpid()) if program_of(process) == "haproxy"
        ),
    )
    watch.start()
    return watch


def _wait(watch: RayWatch, interval_s: float, output: BinaryIO) -> str | None:
    """Returns at the end of standard input; why Ray was lost, where it was, which is reported at once."""
    stopping = threading.Event()

    def read() -> None:
        sys.stdin.buffer.read()
        stopping.set()

    threading.Thread(target=read, name="standard-input", daemon=True).start()
    while not stopping.wait(interval_s):
        loss = watch.loss()
        if loss is None:
            with suppress(BrokenPipeError):
                # Nobody reads where the starter has died, and then standard input has ended too.
                output.write(_BEAT)
        else:
            logger.error("%s; what dies is not replaced any more", loss)
            output.write(msgspec.json.encode(ProcessStatus(error=loss)) + b"\n")
            stopping.wait()
            return loss
    watch.stop()
    return None


def _import_ray(settings: StartedSettings, request: StartRequest, folder: Path) -> None:
    """Sets the environment that Ray reads when it is imported, and imports it; starts nothing."""
    if request.plugins:
        # Their RPC services may take larger requests. Without any, no room is imported here.
        from server.plugins import load

        load(request.plugins)
    os.environ.update(serve_environment(settings.ingress, request.plugins))
    if not settings.ray.address:
        os.environ.update(local_environment(settings.ray, folder))
    with collection_paused():
        from ray import serve  # noqa: F401


def _start(settings: StartedSettings, request: StartRequest, folder: Path) -> RayWatch:
    import ray
    from ray import serve

    from server.ingress.ray_watch import RayWatch

    look_often()
    began = time.monotonic()
    if settings.ray.address:
        ray.init(address=settings.ray.address, log_to_driver=False)
    else:
        with nullcontext() if settings.ray.side_processes else without_side_processes(folder):
            ray.init(
                address="local",
                num_cpus=max(2, os.cpu_count() or 2),
                include_dashboard=False,
                object_store_memory=settings.ray.object_store_bytes,
                log_to_driver=False,
                _temp_dir=str(folder / "ray"),
                _node_ip_address="127.0.0.1",
            )
    logger.info("Ray is up after %.1f s", time.monotonic() - began)
    with proxies_beside_replicas():
        _start_serve(settings)
        try:
            serve.run(application_of(request.settings, request.plugins), name=APPLICATION, route_prefix="/")
        except RuntimeError as error:
            # Serve's own message omits why a replica could not be built.
            raise RuntimeError(_why_deploying_failed() or str(error)) from error
    if settings.ingress.kind == "haproxy" and not settings.ray.address:
        wait_for_replicas(folder, settings.ingress.replicas, _LISTED_S)
    logger.info("%d replicas are up after %.1f s", settings.ingress.replicas, time.monotonic() - began)
    return RayWatch(settings.ray)


def look_often() -> None:
    """Serve's client looks ten times a second whether what it asked for is done, instead of once.

    A start and a stop of the router would each take up to a second longer.
    """
    from ray.serve._private import client

    client.CLIENT_POLLING_INTERVAL_S = _LOOK_S


@contextmanager
def proxies_beside_replicas() -> Iterator[None]:
    """Serve starts its proxies while what the body deploys starts; both are up at the end of the body.

    Serve by itself deploys nothing before HAProxy runs, and a core would have nothing to do until then. Where
    Serve is another version, whose parts have other names, it does as it does.

    Raises:
        TimeoutError: the proxies are not up within the time that Serve gives them.
    """
    import ray
    from ray.serve._private import api

    if not callable(getattr(api, _CREATE, None)):
        yield
        return
    create, awaited = getattr(api, _CREATE), []

    def create_and_go_on(*args: Any, **named: Any) -> Any:
        controller, starting = create(*args, **named)
        awaited.extend(starting)
        return controller, []

    setattr(api, _CREATE, create_and_go_on)
    try:
        yield
    finally:
        setattr(api, _CREATE, create)
    try:
        ray.get(awaited, timeout=api.HTTP_PROXY_TIMEOUT)
    except ray.exceptions.GetTimeoutError as error:
        raise TimeoutError(f"Serve's proxies are not up after {api.HTTP_PROXY_TIMEOUT} s") from error


def _start_serve(settings: StartedSettings) -> None:
    from ray import serve
    from ray.serve.config import HTTPOptions, ProxyLocation, gRPCOptions

    from server.ingress.add_services import add_services_in_ray
    from server.ingress.ports import free_ports
    from server.ingress.reflection import add_reflection_service

    if settings.ingress.kind == "grpc":
        serve.start(proxy_location=ProxyLocation.Disabled, logging_config=QUIET)
        return
    host, port = split_address(settings.ingress.address)
    (http_port,) = free_ports(1)
    adding = (add_services_in_ray, add_reflection_service)
    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        # The gRPC front listens on the host of the HTTP front.
        http_options=HTTPOptions(host=host, port=http_port),
        grpc_options=gRPCOptions(
            port=port,
            grpc_servicer_functions=[f"{add.__module__}.{add.__qualname__}" for add in adding],
            # Ray Serve's own requires no token and answers UNKNOWN to what it cannot read.
            enable_reflection=False,
        ),
        logging_config=QUIET,
    )


def _why_deploying_failed() -> str:
    from ray import serve

    application = serve.status().applications.get(APPLICATION)
    if application is None:
        return ""
    return "\n".join(deployment.message for deployment in application.deployments.values())


def _stop(settings: StartedSettings, folder: Path) -> None:
    import ray
    from ray import serve

    if not ray.is_initialized():
        return
    if not settings.ray.address and settings.ingress.kind == "haproxy":
        refuse_new_calls(folder)
    # Shutting Serve down would end HAProxy first, and with it the calls in progress.
    serve.delete(APPLICATION)
    if settings.ray.address:
        ray.shutdown()
    else:
        # What is left of the local node holds nothing that must be put away, and is killed with the session.
        serve.shutdown()


if __name__ == "__main__":
    sys.exit(main())
