"""The watcher on a real server: killed, it comes back on the same ports; stopped, it stays away."""

import os
import queue
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from testing.triton_models import bst_feeds, bst_scores
from testing.triton_server import end_at_once, infer, tiny_triton
from triton_repo.process_ends import is_alive
from triton_repo.server import TritonServer
from triton_repo.watch import TritonWatcher, WatchEvent

pytestmark = pytest.mark.slow


class Watched:
    """A server under a watcher whose reports can be awaited."""

    def __init__(self, server: TritonServer) -> None:
        self.server = server
        self.events: queue.Queue[WatchEvent] = queue.Queue()
        self.watcher = TritonWatcher(server, self.events.put)
        self.watcher.start()

    def next_event(self) -> WatchEvent:
        return self.events.get(timeout=30)

    def kill(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    quick = {"restart_initial_s": 0.05, "restart_max_s": 0.2, "health_interval_s": 0.2}
    with tiny_triton(tmp_path, health_timeout_s=0.5, health_failures=2, **quick) as server:
        started = Watched(server)
        yield started
        end_at_once(server)
        started.watcher.stop()


def test_a_killed_server_comes_back_on_the_same_ports(watched: Watched) -> None:
    ports = watched.server.ports
    assert watched.server.pid is not None
    models = psutil.Process(watched.server.pid).children(recursive=True)
    watched.kill()
    assert watched.next_event() == WatchEvent("died", "Triton ended with signal 9", 0)
    restarted = watched.next_event()
    assert (restarted.kind, restarted.attempt) == ("restarted", 1)
    assert watched.server.ports == ports
    assert_answers(watched.server)
    assert not any(is_alive(model) for model in models)


def test_failed_restarts_are_reported_until_one_succeeds(watched: Watched) -> None:
    graph = watched.server.repository.version_folder("bst", 1)
    aside = graph.with_name("aside")
    graph.rename(aside)
    watched.kill()
    assert watched.next_event().kind == "died"
    failures = [watched.next_event() for _ in range(2)]
    assert [(event.kind, event.attempt) for event in failures] == [("failed", 1), ("failed", 2)]
    assert "model bst has no usable version" in failures[0].detail
    aside.rename(graph)
    while (event := watched.next_event()).kind == "failed":
        pass
    assert event.kind == "restarted"


def test_a_stopped_watcher_leaves_the_server_stopped(watched: Watched) -> None:
    watched.kill()
    assert watched.next_event().kind == "died"
    watched.watcher.stop()
    assert watched.server.pid is None


def test_a_report_that_fails_does_not_end_the_watch(tmp_path: Path) -> None:
    seen: queue.Queue[str] = queue.Queue()

    def report(event: WatchEvent) -> None:
        seen.put(event.kind)
        raise RuntimeError("the supervisor's own bug")

    with tiny_triton(tmp_path, restart_initial_s=0.05) as server:
        watcher = TritonWatcher(server, report)
        watcher.start()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert [seen.get(timeout=30) for _ in range(2)] == ["died", "restarted"]
        end_at_once(server)
        watcher.stop()


def test_a_model_whose_process_died_is_reloaded(watched: Watched) -> None:
    pid = watched.server.pid
    assert pid is not None
    [bst] = [child for child in psutil.Process(pid).children() if "/bst/1/" in child.cmdline()[1]]
    bst.kill()
    event = watched.next_event()
    assert event.kind == "reloaded"
    assert "a model process of bst version 1 is gone" in event.detail
    assert watched.server.pid == pid
    assert_answers(watched.server)


def test_a_model_whose_process_is_stopped_is_reloaded(watched: Watched) -> None:
    pid = watched.server.pid
    assert pid is not None
    [bst] = [child for child in psutil.Process(pid).children() if "/bst/1/" in child.cmdline()[1]]
    bst.suspend()
    assert watched.next_event().kind == "reloaded"
    # Triton does not wait for it.
    assert not is_alive(bst)
    assert watched.server.pid == pid
    assert_answers(watched.server)


def test_a_server_that_hangs_is_killed_and_restarted(watched: Watched) -> None:
    pid = watched.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    died = watched.next_event()
    assert died.kind == "died"
    assert "it took too long" in died.detail
    assert watched.next_event().kind == "restarted"
    assert watched.server.pid != pid
    assert_answers(watched.server)


def assert_answers(server: TritonServer) -> None:
    feeds = bst_feeds(1, 20)
    np.testing.assert_allclose(infer(server.grpc_url, "bst", feeds), bst_scores(1, feeds), rtol=0, atol=1e-6)
