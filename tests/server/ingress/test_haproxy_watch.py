"""What HAProxy says of its connections is counted and logged, and one that does not answer is killed."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from server.connection_metrics import ConnectionMetrics
from server.ingress.haproxy_admin import ADMIN_SOCKET, send_command
from server.ingress.haproxy_watch import HaproxyState, HaproxyWatch, haproxy_state

INFO = "Name: HAProxy\nVersion: 2.8.25\nPid: {pid}\nMaxconn: 9936\n"
STAT = (
    "# pxname,svname,scur,slim,dcon,\n"
    "http_frontend,FRONTEND,1,9936,3,\n"
    "grpc_frontend,FRONTEND,{open},{places},{refused},\n"
)


def said(open: int = 5, places: int = 9_872, refused: int = 0, pid: int = 7) -> str:
    """An answer of HAProxy, of the columns that matter."""
    return INFO.format(pid=pid) + "\n" + STAT.format(open=open, places=places, refused=refused) + "\n"


class Haproxy:
    """Answers commands on a socket, or accepts none of them."""

    def __init__(self, folder: Path) -> None:
        self.answer: str | None = said()
        self.path = folder / ADMIN_SOCKET
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._held: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.answer is None:
                self._held.append(connection)
                continue
            with connection:
                connection.recv(1_000)
                connection.sendall(self.answer.encode())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._held:
            connection.close()


@contextmanager
def haproxy(folder: Path) -> Iterator[Haproxy]:
    started = Haproxy(folder)
    try:
        yield started
    finally:
        started.close()


def watching(folder: Path, metrics: ProcessMetrics, killed: list[str], wanted: int = 9_872) -> HaproxyWatch:
    return HaproxyWatch(
        folder,
        metrics.group(ConnectionMetrics),
        wanted=wanted,
        silent_after_s=0.4,
        kill=lambda: killed.append("haproxy"),
    )


def test_the_grpc_front_is_read_and_one_that_does_not_listen_yet_has_no_places() -> None:
    assert haproxy_state(said(open=12, refused=4)) == HaproxyState(7, 12, 9_872, 4)
    assert haproxy_state(INFO.format(pid=8) + "\n# pxname,svname,\n") == HaproxyState(8, 0, 0, 0)


def test_refusals_are_counted_over_restarts_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics, killed = ProcessMetrics(), list[str]()
    with haproxy(tmp_path) as running, caplog.at_level(logging.WARNING):
        watch = watching(tmp_path, metrics, killed)
        for answer in (said(refused=2), said(refused=5), said(refused=1, pid=9, open=44)):
            running.answer = answer
            watch.look()
    read = metrics.registry.get_sample_value
    assert read("shopfront_connections_ended_total", {"reason": "refused"}) == 6
    assert read("shopfront_connections_open") == 44
    assert not killed
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith("HAProxy refused 2 connections: 5 of 9872 are open")


def test_fewer_places_than_wanted_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with haproxy(tmp_path), caplog.at_level(logging.WARNING):
        watch = watching(tmp_path, ProcessMetrics(), [], wanted=16_384)
        watch.look()
        watch.look()
    assert [record.getMessage().partition(".")[0] for record in caplog.records] == [
        "HAProxy takes 9872 connections; limits"
    ]


@pytest.mark.slow
def test_one_that_does_not_answer_is_killed_and_one_that_is_absent_is_not(tmp_path: Path) -> None:
    killed: list[str] = []
    with haproxy(tmp_path) as running:
        watch = watching(tmp_path, ProcessMetrics(), killed)
        watch.look()
        running.answer = None
        watch.look()
        assert not killed, "one late answer is none"
        for _ in range(8):
            watch.look()
        assert killed
        with pytest.raises(TimeoutError):
            send_command(running.path, "show info", 0.1)
    killed.clear()
    for _ in range(8):
        watch.look()
    assert not killed
