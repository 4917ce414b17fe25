"""A server that is started again has what is served by then, with a real Triton."""

from __future__ import annotations

import os
import queue
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from testing.triton_models import add_tiny_version, bst_feeds, bst_scores
from testing.triton_server import OUTPUTS, end_at_once, infer, tiny_repository
from triton_repo.bound_process import session_of
from triton_repo.control import TritonControl, publish_version
from triton_repo.health import find_problem
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings, TritonSettings
from triton_repo.watch import TritonWatcher, WatchEvent

pytestmark = pytest.mark.slow

QUICK = TritonSettings(restart_initial_s=0.05, restart_max_s=0.2, health_interval_s=60.0)


def processes_of(server: TritonServer, model: str, version: int) -> list[psutil.Process]:
    """The processes of one version of a model."""
    assert server._process is not None
    folder = f"/{model}/{version}/"
    return [process for process in session_of(server._process) if folder in " ".join(process.cmdline())]


def test_a_restarted_server_has_what_was_published_since_and_what_serves_of_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tiny_repository(tmp_path)
    monkeypatch.setitem(OUTPUTS, "prerank", "score")
    repository.record_served({"bst": 1, "mind": 1})
    server = TritonServer(repository, tmp_path / "triton.log", QUICK)
    server.start()
    events: queue.Queue[WatchEvent] = queue.Queue()
    watcher = TritonWatcher(server, events.put)
    watcher.start()
    try:
        with TritonControl(server.grpc_url) as control:
            # Candidates that wait for a rollout, newer than what serves.
            for seed in (2, 3, 4):
                add_tiny_version(repository, "bst", seed)
            # As a build publishes a model that a scene asks for since.
            version = add_tiny_version(repository, "prerank", 5)
            repository.configure({"prerank": ModelSettings()})
            publish_version(control, repository, "prerank", version)
            repository.record_served({"bst": 1, "mind": 1, "prerank": version})

            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            assert events.get(timeout=30).kind == "died"
            assert events.get(timeout=30).kind == "restarted"
            assert control.ready_versions("bst") == [1]
            assert control.ready_versions("mind") == [1]
            assert control.ready_versions("prerank") == [version]
            feeds = bst_feeds(1, 20)
            for model, number, seed in (("bst", 1, 1), ("prerank", version, 5)):
                answered = infer(server.grpc_url, model, feeds, version=str(number))
                np.testing.assert_allclose(answered, bst_scores(seed, feeds), atol=1e-6)

            (process,) = processes_of(server, "prerank", version)
            process.kill()
            until = time.monotonic() + 20
            while (problem := find_problem(server, control)) is None:
                assert time.monotonic() < until, "a model that came later is not watched"
                time.sleep(0.05)
            assert problem.model == "prerank"
    finally:
        end_at_once(server)
        watcher.stop()
