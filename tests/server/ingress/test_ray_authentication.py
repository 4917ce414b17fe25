"""Whoever reaches Ray's ports has no use of them without the token of the router's own processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from server.ingress.ray_environment import local_environment
from server.ingress_settings import RaySettings
from server.settings import RouterSettings
from testing.running_router import Ingress

_STRANGER = """
import ray
ray.init(address="127.0.0.1:{port}", logging_level="ERROR", log_to_driver=False)
print("inside")
"""


def test_every_node_has_a_token_of_its_own(tmp_path: Path) -> None:
    one, other = (local_environment(RaySettings(), tmp_path) for _ in range(2))
    assert one["RAY_AUTH_MODE"] == "token"
    assert len(one["RAY_AUTH_TOKEN"]) == 64
    assert one["RAY_AUTH_TOKEN"] != other["RAY_AUTH_TOKEN"]
    assert local_environment(RaySettings(auth_mode="disabled"), tmp_path)["RAY_AUTH_TOKEN"] == ""


def test_an_address_that_others_reach_needs_it() -> None:
    exposed = {"address": "0.0.0.0:9000", "exposed": True}
    RouterSettings.model_validate({"ingress": exposed})
    with pytest.raises(ValidationError, match=r"ray\.auth_mode: token"):
        RouterSettings.model_validate({"ingress": exposed, "ray": {"auth_mode": "disabled"}})
    # Who runs the cluster decides how it is reached.
    own_cluster = {"auth_mode": "disabled", "address": "ray://head:10001"}
    RouterSettings.model_validate({"ingress": exposed, "ray": own_cluster})


@pytest.mark.slow
def test_a_stranger_gets_nothing_from_ray(ingress: Ingress, tmp_path: Path) -> None:
    if ingress.handle is None or ingress.kind != "haproxy":
        pytest.skip("there is no Ray, or it is tried behind HAProxy, where it is the same")
    (gcs,) = [process for process in ingress.handle.processes() if process.name() == "gcs_server"]
    ports = {
        connection.laddr.port
        for connection in psutil.Process(gcs.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert ports
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"HOME": str(tmp_path), "RAY_AUTH_MODE": "disabled"}
    # All at once, since Ray tries for ten seconds.
    strangers = [
        subprocess.Popen(
            [sys.executable, "-c", _STRANGER.format(port=port)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for port in ports
    ]
    for stranger in strangers:
        printed, errors = stranger.communicate(timeout=120)
        assert "inside" not in printed
        assert stranger.returncode != 0
        assert "nauthenticated" in errors or "oken" in errors, errors[-2_000:]
    assert not list(tmp_path.rglob("auth_token"))
