"""When Ray counts as lost: a process of the node is gone, the node is given up, or nobody answers."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from server.ingress import ray_watch
from server.ingress.ray_watch import RayWatch
from server.ingress_settings import RaySettings


class Cluster:
    """A GCS that answers, is frozen, or fails, as a test says."""

    def __init__(self) -> None:
        self.alive = True
        self.error: Exception | None = None
        self.thawed = threading.Event()
        self.thawed.set()
        self.asked = 0

    def nodes(self) -> list[dict[str, Any]]:
        self.asked += 1
        self.thawed.wait(20)
        if self.error is not None:
            raise self.error
        return [{"NodeID": "ours", "Alive": self.alive}, {"NodeID": "another", "Alive": False}]


class Context:
    def get_node_id(self) -> str:
        return "ours"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    made = Cluster()
    monkeypatch.setattr(ray_watch.ray, "nodes", made.nodes)
    monkeypatch.setattr(ray_watch.ray, "get_runtime_context", Context)
    yield made
    made.thawed.set()


def watching(address: str = "elsewhere:6379", lost_after_s: float = 30.0) -> RayWatch:
    return RayWatch(RaySettings(address=address, look_interval_s=0.01, lost_after_s=lost_after_s))


def wait(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_nothing_is_lost_while_the_gcs_answers_and_after_it_did_not_for_a_moment(cluster: Cluster) -> None:
    watch = watching()
    wait(lambda: cluster.asked > 3)
    assert watch.loss() is None
    cluster.error = ConnectionError("for a moment")
    asked = cluster.asked
    wait(lambda: cluster.asked > asked + 3)
    assert watch.loss() is None
    watch.stop()


def test_a_node_that_the_gcs_gave_up_is_lost(cluster: Cluster) -> None:
    watch = watching()
    cluster.alive = False
    wait(lambda: watch.loss() is not None)
    assert "given up this node" in str(watch.loss())
    watch.stop()


@pytest.mark.parametrize("error", [None, ConnectionError("gone")])
def test_a_gcs_that_does_not_answer_for_long_is_lost(cluster: Cluster, error: Exception | None) -> None:
    watch = watching(lost_after_s=0.2)
    if error is None:
        cluster.thawed.clear()
    else:
        cluster.error = error
    wait(lambda: watch.loss() is not None)
    assert "has not answered" in str(watch.loss())
    watch.stop()


def test_a_process_of_a_local_node_that_died_is_named_also_before_it_is_reaped(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        monkeypatch.setattr(ray_watch, "_node_processes", lambda: {"raylet": process})
        watch = watching(address="")
        assert watch.loss() is None
        child.kill()
        wait(lambda: process.status() == psutil.STATUS_ZOMBIE)
        assert watch.loss() == f"Ray's raylet (process {child.pid}) has died"
        watch.stop()


def test_a_local_ray_without_its_processes_is_refused(cluster: Cluster) -> None:
    with pytest.raises(RuntimeError, match="gcs_server, raylet"):
        watching(address="")
