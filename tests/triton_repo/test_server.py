"""The real server: answers, bad input, failed starts, no process left."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from models.contracts import contract, contracts
from testing.triton_models import bst_feeds, bst_scores, mind_feeds, mind_interests
from testing.triton_server import BOTH, infer, tiny_repository, tiny_triton
from triton_repo import installation
from triton_repo.control import TritonControl
from triton_repo.errors import TritonStartError
from triton_repo.health import find_problem
from triton_repo.process_ends import is_alive
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import TritonSettings
from triton_repo.tensors import Tensor, Tensors

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("candidates", [0, 1, 300, 5000])
def test_bst_answers_what_the_graph_computes(triton: TritonServer, candidates: int) -> None:
    feeds = bst_feeds(3, candidates)
    np.testing.assert_allclose(infer(triton.grpc_url, "bst", feeds), bst_scores(1, feeds), rtol=0, atol=1e-6)


def test_mind_answers_what_the_graph_computes(triton: TritonServer) -> None:
    feeds = mind_feeds(4)
    np.testing.assert_allclose(
        infer(triton.grpc_url, "mind", feeds), mind_interests(1, feeds), rtol=0, atol=1e-6
    )


def test_many_answers_do_not_grow_the_log(triton: TritonServer) -> None:
    infer(triton.grpc_url, "bst", bst_feeds(1, 10))
    before = triton.log_file.stat().st_size
    for seed in range(20):
        infer(triton.grpc_url, "bst", bst_feeds(1, 10, seed))
    assert triton.log_file.stat().st_size == before


def test_wrong_input_gets_an_error_and_the_server_lives(triton: TritonServer) -> None:
    good = bst_feeds(2, 5)
    pid = triton.pid
    wrong_row = {**good, "candidate_row": np.full(5, 7, np.int32)}
    with pytest.raises(InferenceServerException, match="out of data bounds"):
        infer(triton.grpc_url, "bst", wrong_row)
    wrong_length = {**good, "history_item": np.zeros((2, 49), np.int32)}
    with pytest.raises(InferenceServerException, match="unexpected shape"):
        infer(triton.grpc_url, "bst", wrong_length)
    missing = {name: values for name, values in good.items() if name != "profile"}
    with pytest.raises(InferenceServerException, match="expected 7 inputs but got 6"):
        infer(triton.grpc_url, "bst", missing)
    with pytest.raises(InferenceServerException, match="version 9"):
        infer(triton.grpc_url, "bst", good, version="9")
    np.testing.assert_allclose(infer(triton.grpc_url, "bst", good), bst_scores(1, good), rtol=0, atol=1e-6)
    assert triton.pid == pid


def test_listens_on_loopback_only(triton: TritonServer) -> None:
    assert triton.pid is not None
    listening = [
        connection.laddr
        for connection in psutil.Process(triton.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.port for address in listening} == {triton.ports.grpc}
    assert (triton.ports.http, triton.ports.metrics) == (None, None)
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_other_endpoints_are_there_where_they_are_asked_for(tmp_path: Path) -> None:
    with tiny_triton(tmp_path, http_port=0, metrics_port=0) as server:
        http, metrics = (f"http://127.0.0.1:{port}" for port in (server.ports.http, server.ports.metrics))
        with urllib.request.urlopen(f"{metrics}/metrics", timeout=10) as page:
            assert b"nv_inference_request_success" in page.read()
        with urllib.request.urlopen(f"{http}/v2/health/ready", timeout=10) as page:
            assert page.status == 200


def test_nobody_may_register_shared_memory(triton: TritonServer) -> None:
    with InferenceServerClient(triton.grpc_url) as client, pytest.raises(InferenceServerException) as refused:
        client.register_system_shared_memory("mine", "/mine", 64)
    assert "restricted" in str(refused.value).lower()


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "Ann's Möbel $(shop) & co"
    folder.mkdir()
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    feeds = bst_feeds(1, 3)
    models = {**BOTH, "mind": {"opened": "when_called"}}
    with tiny_triton(linked, models=models) as server, TritonControl(server.grpc_url) as control:
        np.testing.assert_allclose(infer(server.grpc_url, "bst", feeds), bst_scores(1, feeds), atol=1e-6)
        assert find_problem(server, control) is None
        assert len(server.model_processes()) == 2
        _opens_its_graph_when_called(server)


def _opens_its_graph_when_called(server: TritonServer) -> None:
    (mind,) = (process.process for process in server.model_processes() if "mind" in process.graph.parts)
    before = mind.memory_info().rss
    assert not any("onnxruntime_pybind11" in mapped.path for mapped in mind.memory_maps())
    feeds = mind_feeds(1)
    answered = infer(server.grpc_url, "mind", feeds)
    np.testing.assert_allclose(answered, mind_interests(1, feeds), rtol=0, atol=1e-6)
    assert mind.memory_info().rss > before + 20 * 2**20


def test_stop_leaves_no_process_and_no_shared_memory(tmp_path: Path) -> None:
    with tiny_triton(tmp_path) as server:
        assert server.pid is not None
        process = psutil.Process(server.pid)
        models = process.children(recursive=True)
        regions = [Path("/dev/shm", model.cmdline()[2]) for model in models]
        assert len(models) == 2
        assert all(region.exists() for region in regions)
        server.stop()
    assert not any(is_alive(member) for member in [process, *models])
    assert not any(region.exists() for region in regions)
    assert server.pid is None
    server.stop()


def test_killed_model_processes_leave_no_shared_memory_once_the_server_stops(tmp_path: Path) -> None:
    with tiny_triton(tmp_path) as server:
        regions = [model.region for model in server.model_processes()]
        assert len(regions) == 2
        assert server.pid is not None
        for member in psutil.Process(server.pid).children():
            member.kill()
        server.kill()
        server.stop()
    assert not any(region.exists() for region in regions)


def test_a_server_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    with tiny_triton(tmp_path, stop_timeout_s=0.5) as server:
        assert server.pid is not None
        process = psutil.Process(server.pid)
        family = [process, *process.children(recursive=True)]
        process.suspend()
        server.stop()
    assert not any(is_alive(member) for member in family)


def test_the_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    tiny_repository(tmp_path)
    script = f"""
        import os, signal
        from pathlib import Path
        from triton_repo.repository import ModelRepository
        from triton_repo.server import TritonServer
        from models.contracts import contracts
        from triton_repo.settings import ModelSettings, TritonSettings
        folder = Path({str(tmp_path)!r})
        settings = TritonSettings(models={{"bst": ModelSettings(), "mind": ModelSettings()}})
        server = TritonServer(ModelRepository(folder / "triton", contracts()), folder / "log", settings)
        server.start()
        print(server.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    pid = int(run.stdout)
    for _ in range(200):
        if not _session_alive(pid):
            break
        time.sleep(0.1)
    assert not _session_alive(pid)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with (
            pytest.raises(TritonStartError, match=f"grpc port {port} of 127.0.0.1"),
            tiny_triton(tmp_path, grpc_port=port),
        ):
            pass


def test_a_model_without_versions_is_named(tmp_path: Path) -> None:
    repository = tiny_repository(tmp_path)
    repository.refuse("mind", 1)
    server = TritonServer(repository, tmp_path / "log", TritonSettings(models=BOTH))
    with pytest.raises(TritonStartError, match="model mind has no usable version"):
        server.start()


def test_a_version_that_is_to_serve_and_is_lost_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    repository = tiny_repository(tmp_path)
    repository.record_served({"bst": 7, "mind": 1})
    repository.refuse("mind", 1)
    with pytest.raises(TritonStartError, match="model mind has no usable version"):
        TritonServer(repository, tmp_path / "log", TritonSettings(models=BOTH)).start()
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line.startswith("model bst version 7 is to serve and is not there")
    assert f"put {repository.version_folder('bst', 7)} back" in line


@pytest.mark.parametrize("opened", ["at_start", "when_called"])
def test_a_model_the_server_cannot_load_is_named_in_one_line(tmp_path: Path, opened: str) -> None:
    repository = tiny_repository(tmp_path)
    # The configuration asks for a tensor the graph lacks: only the server can notice.
    mind = contract("mind")
    other = replace(mind, tensors=Tensors(mind.tensors.inputs, (Tensor("tastes", "float32", ("B", -1, -1)),)))
    server = TritonServer(
        ModelRepository(repository.root, {**contracts(), "mind": other}),
        tmp_path / "log",
        TritonSettings.model_validate({"models": {**BOTH, "mind": {"opened": opened}}}),
    )
    with pytest.raises(TritonStartError) as failure:
        server.start()
    message = str(failure.value)
    assert "model mind version 1" in message
    assert "tastes" in message
    assert "\n" not in message
    assert server.pid is None


def test_a_missing_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    server = TritonServer(tiny_repository(tmp_path), tmp_path / "log", TritonSettings(models=BOTH))
    with pytest.raises(TritonStartError, match="nvidia-pytriton is not installed"):
        server.start()


def test_a_missing_stub_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_STUB", "no_such_stub")
    server = TritonServer(tiny_repository(tmp_path), tmp_path / "log", TritonSettings(models=BOTH))
    with pytest.raises(TritonStartError, match=r"no Python backend stub for Python 3\.\d+; it has"):
        server.start()


def test_a_start_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    server = TritonServer(
        tiny_repository(tmp_path), tmp_path / "log", TritonSettings(models=BOTH, start_timeout_s=0.01)
    )
    with pytest.raises(TritonStartError, match="not ready in time"):
        server.start()
    assert server.pid is None


def _session_alive(sid: int) -> bool:
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == sid and process.status() != psutil.STATUS_ZOMBIE:
                return True
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return False
