"""What a router that was killed with its starter leaves is ended by the next one, and nothing else is."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.ingress.session_folder import end_abandoned, hold, make_session_folder
from server.ingress.sessions import command_of, session_processes
from testing.served_shop import make_shop
from triton_repo.process_ends import is_alive

STARTER = """
import json, sys, time
from server.ingress.launcher import start_router
from server.settings import RouterSettings
handle = start_router(RouterSettings.model_validate(json.loads(sys.argv[1])))
print(json.dumps([handle.address, handle.pids()]), flush=True)
time.sleep(600)
"""


def _made_long_ago(parent: Path) -> Path:
    folder = make_session_folder(parent)
    os.utime(folder / "in_use", (1.0, 1.0))
    return folder


def test_a_folder_that_nobody_holds_is_removed(tmp_path: Path) -> None:
    folder = _made_long_ago(tmp_path)
    os.close(hold(folder))
    assert end_abandoned(tmp_path) == [f"ended what a killed router left behind: 0 processes and {folder}"]
    assert not folder.exists()


def test_a_folder_in_use_stays_while_one_of_two_holds_it(tmp_path: Path) -> None:
    folder = _made_long_ago(tmp_path)
    first, second = hold(folder), hold(folder)
    os.close(first)
    assert end_abandoned(tmp_path) == []
    os.close(second)
    assert len(end_abandoned(tmp_path)) == 1


def test_a_folder_just_made_and_folders_of_others_stay(tmp_path: Path) -> None:
    young = make_session_folder(tmp_path)
    (tmp_path / "shopfront-notes").mkdir()
    (tmp_path / "shopfront-file").touch()
    assert end_abandoned(tmp_path) == []
    assert young.exists()


@pytest.mark.parametrize(
    "kind",
    [pytest.param("haproxy", marks=pytest.mark.slow), pytest.param("grpc", marks=pytest.mark.faults)],
)
def test_processes_of_a_router_killed_with_its_starter_are_ended(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shop = make_shop(tmp_path_factory.mktemp("killed"))
    settings = shop.settings("127.0.0.1:9", ingress={"kind": kind, "address": "127.0.0.1:0", "replicas": 1})
    command = [sys.executable, "-c", STARTER, json.dumps(settings.model_dump(mode="json"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        address, pids = json.loads(starter.stdout.readline())
        (leader,) = {os.getsid(pid) for pid in pids}
        left = [process for process in session_processes(leader) if process.pid != leader]
        titles = [word for process in left for word in command_of(process)[:1]]
        assert any(title.startswith("ray::ServeReplica") for title in titles)
        for pid in (starter.pid, leader):
            os.kill(pid, signal.SIGKILL)

    # A killed process holds its files until its last thread has ended; and a `shopfront run` of a test beside
    # this one may be quicker, and ends them alike.
    deadline = time.monotonic() + 20
    while any(is_alive(process) for process in left):
        assert time.monotonic() < deadline, [process for process in left if is_alive(process)]
        end_abandoned()
        time.sleep(0.1)
    host, port = address.split(":")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
