"""What is changed of the configuration that Ray Serve writes for HAProxy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from router.ingress import haproxy_launch
from router.ingress.haproxy_launch import CALL_ID_HEADER, amended

HTTP = "frontend http_frontend\n    bind 127.0.0.1:8000\n    mode http\n"
GRPC = "frontend grpc_frontend\n    bind 127.0.0.1:9000 proto h2\n    mode http\n    log global\n"
REPLICAS = "    acl is_shop req.hdr(application) -m str shopfront\n    use_backend shop if is_shop\n"
BACKEND = "backend default_grpc_backend\n    mode http\n"


def test_calls_get_an_id() -> None:
    found = amended(HTTP + GRPC + REPLICAS + BACKEND)
    assert found.count(CALL_ID_HEADER) == 1
    assert f"mode http\n    http-request set-header {CALL_ID_HEADER} %[uuid]\n    log global" in found
    assert "bind 127.0.0.1:9000 proto h2" in found


def test_nothing_listens_for_grpc_until_there_are_replicas() -> None:
    found = amended(HTTP + GRPC + BACKEND)
    assert "bind 127.0.0.1:8000" in found
    assert "bind 127.0.0.1:9000" not in found
    assert "frontend grpc_frontend" in found


def test_amending_twice_or_without_grpc_changes_nothing() -> None:
    once = amended(HTTP + GRPC + REPLICAS)
    assert amended(once) == once
    assert amended(HTTP) == HTTP


def test_the_script_amends_the_file_and_becomes_the_program(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text(GRPC + REPLICAS)
    script = [sys.executable, "-I", "-S", haproxy_launch.__file__, "/bin/echo", "-db", "-f", str(path), "-dR"]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert said == f"-db -f {path} -dR\n"
    assert path.read_text() == amended(GRPC + REPLICAS)
    assert os.listdir(tmp_path) == ["haproxy.cfg"]
