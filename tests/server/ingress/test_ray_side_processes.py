"""A local node without the processes of Ray's dashboard, and Ray Serve without pandas, FastAPI and NumPy."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from server.ingress.ray_side_processes import with_agent, without_side_processes
from server.ingress.ray_site import FOLDER
from server.ingress.sessions import command_of, program_of
from testing.running_router import Ingress


def test_only_the_commands_of_agents_are_replaced() -> None:
    agents = ("--dashboard_agent_command=", "--runtime_env_agent_command=")
    command = ["raylet", "--node_id=1", *(f"{agent}/bin/python agent.py --node-id=1" for agent in agents)]
    assert with_agent(command, Path("/tmp/a b/agent")) == [
        "raylet",
        "--node_id=1",
        *(f"{agent}'/tmp/a b/agent' /bin/python agent.py --node-id=1" for agent in agents),
    ]
    assert with_agent(command[:2], Path("/tmp/agent")) == command[:2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("--minimal", ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")),
        ("--runtime-env-dir=/tmp", ("runtime_env_agent_port",)),
    ],
)
def test_the_program_in_an_agents_place_says_that_nothing_is_served_and_ends_with_its_parent(
    tmp_path: Path, option: str, names: tuple[str, ...]
) -> None:
    with without_side_processes(tmp_path):
        pass
    session = tmp_path / "the session"
    session.mkdir()
    agent = tmp_path / "dashboard-agent"
    words = [str(agent), "python", "agent.py", "--node-id=x", f"--session-dir={session}", option]
    # Its parent is a program that ends once it is told to.
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.Popen(sys.argv[1:]); input()", *words],
        env=os.environ | {"RAY_NODE_ID": "ab12"},
        stdin=subprocess.PIPE,
    )
    files = [session / f"{name}_ab12" for name in names]
    while not all(file.exists() for file in files):
        time.sleep(0.01)
    assert [file.read_text() for file in files] == ["-1"] * len(names)
    (stand_in,) = psutil.Process(parent.pid).children()
    assert stand_in.memory_info().rss < 16 * 2**20
    parent.communicate(b"\n")
    stand_in.wait(30)


def test_ray_is_as_before_outside(tmp_path: Path) -> None:
    from ray._private import services
    from ray._private.node import Node

    before = (services.start_ray_process, Node.start_monitor, Node.start_log_monitor, Node.start_api_server)
    with without_side_processes(tmp_path):
        assert services.start_ray_process is not before[0]
        assert Node.start_monitor is not before[1]
    after = (services.start_ray_process, Node.start_monitor, Node.start_log_monitor, Node.start_api_server)
    assert after == before


@pytest.mark.slow
def test_ray_goes_without_tables_and_others_have_them(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['THE_SYSTEMS_OWN'] = 'ran'\n")
    program = (
        "import os, sys; import ray.serve; from ray.util.serialization_addons import apply;"
        "from ray._private.serialization import SerializationContext;"
        "apply(SerializationContext(None));"
        "absent = ('pandas', 'pyarrow', 'urllib3', 'referencing', 'tqdm', 'opentelemetry.sdk', 'numpy._core',"
        "'fastapi.applications');"
        "loaded = [name for name in absent if name in sys.modules];"
        "print(isinstance(1, ray.serve.api.FastAPI), isinstance(1, ray.serve._private.utils.np.ndarray));"
        "from numpy.linalg import norm; from fastapi.routing import APIRouter; import fastapi, numpy;"
        "print(norm([3, 4]), numpy.linalg.__spec__.name, APIRouter is fastapi.APIRouter);"
        "print(isinstance(fastapi.FastAPI(), ray.serve.api.FastAPI), isinstance(1, ray.serve.api.FastAPI));"
        "import asyncio, time; from ray.serve._private import haproxy, http_util, utils;"
        "began = time.monotonic(); asyncio.run(haproxy.asyncio.sleep(0.5));"
        "print(time.monotonic() - began < 0.4, haproxy.asyncio.Lock is asyncio.Lock);"
        "print(http_util.jsonable_encoder({'a': numpy.arange(2)}, custom_encoder=utils.serve_encoders));"
        "import opentelemetry.sdk, pandas, pyarrow, tqdm;"
        "print(loaded, pandas.DataFrame({'a': [1]}).shape, pyarrow.array([1]).sum());"
        "import requests, jsonschema; print(requests.__version__ > '2', requests.get.__name__);"
        "print(jsonschema.validate(1, {}), os.environ['THE_SYSTEMS_OWN'])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": f"{FOLDER}{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split("\n") == [
        "False False",
        "5.0 numpy.linalg True",
        "True False",
        "True True",
        "{'a': [0, 1]}",
        "[] (1, 1) 1",
        "True get",
        "None ran",
        "",
    ]


@pytest.mark.slow
def test_a_router_runs_none_of_the_side_processes(ingress: Ingress) -> None:
    if ingress.handle is None:
        pytest.skip("there is no Ray")
    programs = [" ".join(command_of(process)) for process in ingress.handle.processes()]
    assert sum(program.startswith("ray::ServeReplica") for program in programs) == 2
    for side in ("dashboard.py", "monitor.py", "ray::DashboardAgent", "ray::RuntimeEnvAgent"):
        assert not [program for program in programs if side in program]
    assert any(program_of(process) == "tail" for process in ingress.handle.processes())
