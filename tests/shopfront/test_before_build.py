"""Ports and paths that cannot be used are named before anything is built."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from foundation.telemetry.metrics.endpoint import serve_metrics
from server.ingress.ports import free_ports
from shopfront.before_build import CannotServe, check_before_build
from shopfront.settings import Settings
from shopfront.workspace import PROJECT, Workspace


@pytest.fixture
def taken() -> Iterator[int]:
    """A port something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_ports(1)[0]))
        listener.listen()
        yield listener.getsockname()[1]


def settings(folder: Path, router: dict[str, Any] | None = None, **more: Any) -> Settings:
    """Settings that can be served, with changes."""
    paths = {
        "scenes": str(PROJECT / "config" / "scenes.yaml"),
        "ingress": {"address": "127.0.0.1:0"},
        "metrics": {"port": 0, "folder": str(folder / "metrics")},
        "request_log": {"folder": str(folder / "logs")},
        "state": {"url": f"lmdb://{folder / 'state'}"},
    }
    return Settings.model_validate({"router": paths | (router or {}), **more})


def problem(folder: Path, **changes: Any) -> str:
    """What is wrong with settings."""
    with pytest.raises(CannotServe) as found:
        check_before_build(Workspace(folder), settings(folder, **changes))
    return str(found.value)


def test_nothing_is_said_where_all_can_be_used(tmp_path: Path) -> None:
    check_before_build(Workspace(tmp_path / "not made yet" / "below"), settings(tmp_path))
    assert not list(tmp_path.iterdir())


def test_every_taken_port_is_named_with_its_key(tmp_path: Path, taken: int) -> None:
    said = problem(tmp_path, router={"ingress": {"address": f"127.0.0.1:{taken}"}})
    assert said == (
        f"127.0.0.1:{taken} cannot be taken (Address already in use); stop what holds it, or set "
        "router.ingress.address"
    )
    metrics = {"port": taken, "folder": str(tmp_path / "metrics")}
    assert "router.metrics.port" in problem(tmp_path, router={"metrics": metrics})
    check_before_build(Workspace(tmp_path), settings(tmp_path, {"metrics": metrics | {"enabled": False}}))
    for name in ("grpc_port", "http_port", "metrics_port"):
        assert f"triton.embedded.{name}" in problem(tmp_path, triton={"embedded": {name: taken}})
    elsewhere = {"url": "triton:8001", "embedded": {"grpc_port": taken}}
    check_before_build(Workspace(tmp_path), settings(tmp_path, triton=elsewhere))


def test_one_port_for_two_things_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    said = problem(tmp_path, triton={"embedded": {"grpc_port": port, "http_port": port}})
    assert f"both port {port}" in said


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    said = problem(
        tmp_path,
        router={
            "scenes": str(tmp_path / "scenes.yaml"),
            "ingress": {
                "address": "127.0.0.1:0",
                "kind": "grpc",
                "tokens": {"file": str(tmp_path / "tokens")},
                "tls": {"certificate": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")},
            },
        },
    )
    for name, key in (
        ("scenes.yaml", "router.scenes"),
        ("tokens", "router.ingress.tokens.file"),
        ("tls.crt", "router.ingress.tls.certificate"),
        ("tls.key", "router.ingress.tls.key"),
    ):
        assert f"{tmp_path / name} is no file; set {key}" in said
    assert "set router.scenes (a relative path begins at the folder above the configuration file's)" in said


def test_experiments_that_are_not_there_are_none_and_a_folder_is_no_file(tmp_path: Path) -> None:
    absent = {"experiments": str(tmp_path / "experiments.yaml")}
    check_before_build(Workspace(tmp_path), settings(tmp_path, router=absent))
    (tmp_path / "experiments.yaml").mkdir()
    assert "experiments.yaml is no file; set router.experiments" in problem(tmp_path, router=absent)


def test_folders_that_cannot_be_made_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = problem(tmp_path, router={"state": {"url": f"lmdb://{tmp_path}/file/state"}})
    assert said == f"{tmp_path / 'file'} is no folder; mend that, or set router.state.url"


def test_a_full_disk_is_named_before_minutes_are_spent(tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    said = problem(tmp_path, router={"request_log": {"folder": str(small_disk / "logs")}})
    assert said == (
        f"{small_disk} cannot be written (No space left on device); mend that, or set "
        "router.request_log.folder"
    )


def test_a_read_only_file_of_the_state_is_named(tmp_path: Path, small_disk: Path) -> None:
    state = small_disk / "state"
    state.mkdir()
    (state / "data.mdb").write_bytes(b"")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    said = problem(tmp_path, router={"state": {"url": f"lmdb://{state}"}})
    assert said == (f"{state} cannot be written (Read-only file system); mend that, or set router.state.url")


def test_the_metrics_endpoint_names_its_port(tmp_path: Path, taken: int) -> None:
    with pytest.raises(OSError, match=rf"127.0.0.1:{taken} .*metrics.port"):
        serve_metrics(taken, tmp_path, registry=CollectorRegistry())


@pytest.mark.slow
def test_run_ends_before_it_builds(tmp_path: Path, taken: int) -> None:
    (tmp_path / "scenes.yaml").write_text((PROJECT / "config" / "scenes.yaml").read_text())
    config = tmp_path / "shopfront.yaml"
    config.write_text(
        f'router: {{scenes: {tmp_path}/scenes.yaml, ingress: {{address: "127.0.0.1:{taken}"}}}}'
    )
    command = [sys.executable, "-m", "shopfront", "run", "--workspace", str(tmp_path / "work")]
    ended = subprocess.run([*command, "--config", str(config)], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert f"127.0.0.1:{taken} cannot be taken" in " ".join(ended.stderr.split())
    assert not list((tmp_path / "work" / "datasets").iterdir())
