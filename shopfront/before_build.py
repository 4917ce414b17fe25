"""What would keep a workspace from being served, looked at before minutes are spent on building it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from foundation.storage.writable import why_not_writable
from server.ingress_settings import split_address
from server.written_folders import written_folders
from shopfront.settings import Settings
from shopfront.workspace import Workspace


class CannotServe(Exception):
    """Ports or paths of the configuration cannot be used; the message names each with its key."""


def check_before_build(workspace: Workspace, settings: Settings) -> None:
    """Looks at every port and path that serving needs.

    Raises:
        CannotServe: naming all that cannot be used, with the configuration key to set.
    """
    problems = [*_ports(settings), *_files(settings), *_folders(workspace, settings)]
    if problems:
        raise CannotServe("; ".join(problems))


def _ports(settings: Settings) -> Iterator[str]:
    router, embedded = settings.router, settings.triton.embedded
    wanted = [("router.ingress.address", *split_address(router.ingress.address))]
    if router.metrics.enabled:
        wanted.append(("router.metrics.port", router.metrics.host, router.metrics.port))
    if not settings.triton.url:
        names = ("grpc_port", "http_port", "metrics_port")
        wanted += [(f"triton.embedded.{name}", "127.0.0.1", getattr(embedded, name)) for name in names]
    seen: dict[int, str] = {}
    for key, host, port in wanted:
        if not port:
            continue
        if port in seen:
            yield f"{key} and {seen[port]} are both port {port}; give each one of its own, or 0"
            continue
        seen[port] = key
        why = why_taken(host, port)
        if why:
            yield f"{host}:{port} cannot be taken ({why}); stop what holds it, or set {key}"


def why_taken(host: str, port: int) -> str:
    """Why nothing can listen at an address now, in the words of the operating system; "" where it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return ""


_SCENES_BEGIN = " (a relative path begins at the folder above the configuration file's)"


def _files(settings: Settings) -> Iterator[str]:
    router = settings.router
    tls, tokens = router.ingress.tls, router.ingress.tokens
    wanted: list[tuple[str, Path | None]] = [
        ("router.scenes", router.scenes),
        ("router.ingress.tokens.file", tokens.file),
    ]
    if router.experiments is not None and router.experiments.exists():
        # One that is not there means that no experiments are run.
        wanted.append(("router.experiments", router.experiments))
    if tls is not None:
        wanted += [
            (f"router.ingress.tls.{name}", getattr(tls, name)) for name in ("certificate", "key", "client_ca")
        ]
    for key, path in wanted:
        if path is None:
            continue
        if not path.is_file():
            where = _SCENES_BEGIN if key == "router.scenes" else ""
            yield f"{path.absolute()} is no file; set {key}{where}"
        elif not os.access(path, os.R_OK):
            yield f"{path.absolute()} cannot be read; change its mode, or set {key}"


def _folders(workspace: Workspace, settings: Settings) -> Iterator[str]:
    wanted: list[tuple[str, Path, tuple[str, ...]]] = [("--workspace", workspace.root, ())]
    wanted += [(f"router.{key}", folder, files) for key, folder, files in written_folders(settings.router)]
    for key, folder, files in wanted:
        why = why_not_writable(folder, files)
        if why:
            yield f"{why}; mend that, or set {key}"
