"""The console that `shopfront run` starts: beside the router, again when it dies, not without a port."""

from __future__ import annotations

import queue
import socket
import urllib.request
from pathlib import Path

import psutil
import pytest

from console.access import AccessError
from console.process_options import command, environment
from console.settings import ConsoleSettings
from server.ingress.client_channel import RouterAddress
from server.ingress.ports import free_ports
from shopfront.console_beside import console_of, look_for_console

SECRET = "an-operators-token"


def serving(url: str) -> psutil.Process:
    """The process that listens at the URL."""
    port = int(url.rstrip("/").rpartition(":")[2])
    for child in psutil.Process().children(recursive=True):
        if any(each.laddr.port == port for each in child.net_connections("tcp")):
            return child
    raise AssertionError(f"nothing listens at {url}")


def settings(folder: Path, **more: object) -> ConsoleSettings:
    return ConsoleSettings.model_validate({"address": "127.0.0.1:0", "audit": folder / "audit.jsonl"} | more)


@pytest.mark.slow
def test_a_console_that_is_killed_runs_again_and_ends_with_the_router(tmp_path: Path) -> None:
    reports: queue.Queue[str] = queue.Queue()
    router = RouterAddress(f"127.0.0.1:{free_ports(1)[0]}", token=SECRET)
    changes: list[str] = []
    with console_of(
        router, settings(tmp_path), tmp_path, reports.put, wanted=True, count=changes.append
    ) as said:
        assert said.startswith("Console on http://127.0.0.1:")
        url = said.removeprefix("Console on ")
        assert "no answer" in urllib.request.urlopen(url, timeout=20).read().decode()
        process = serving(url)
        assert SECRET not in " ".join(process.cmdline())
        process.kill()
        assert "has ended" in reports.get(timeout=20)
        assert "runs again" in reports.get(timeout=30)
        again = serving(url)
        assert again.pid != process.pid
    assert not again.is_running()
    assert reports.empty()
    assert changes == ["lost", "restarted"]


def test_a_taken_port_is_named_with_what_to_do_and_the_shop_is_served(tmp_path: Path) -> None:
    reports: list[str] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_ports(1)[0]))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        taken = settings(tmp_path, address=address)
        look_for_console(taken, reports.append)
        with console_of(RouterAddress("127.0.0.1:1"), taken, tmp_path, reports.append, wanted=True) as said:
            assert said.startswith(f"No console: {address} cannot be taken")
        (early,) = reports
        for line in (early, said):
            assert "console.address" in line
            assert "console.enabled: false" in line


def test_a_console_that_nobody_wants_or_can_have_is_not_started(tmp_path: Path) -> None:
    router = RouterAddress("127.0.0.1:1")
    off = settings(tmp_path, enabled=False)
    for asked, with_settings, wanted, words in (
        (router, off, True, ""),
        (router, settings(tmp_path), False, ""),
        (None, settings(tmp_path), True, "certificate"),
    ):
        with console_of(asked, with_settings, tmp_path, print, wanted=wanted) as said:
            assert words in said
            assert bool(words) == bool(said)
    look_for_console(off, pytest.fail)
    with pytest.raises(AccessError, match="absent"):
        look_for_console(settings(tmp_path, tokens_file=tmp_path / "absent"), pytest.fail)


def test_the_token_reaches_the_process_by_its_environment_alone(tmp_path: Path) -> None:
    router = RouterAddress("127.0.0.1:1", token=SECRET)
    assert SECRET not in " ".join(command(router, settings(tmp_path)))
    assert environment(router, {})["SHOPFRONT_TOKEN"] == SECRET
    assert "SHOPFRONT_TOKEN" not in environment(RouterAddress("127.0.0.1:1"), {"SHOPFRONT_TOKEN": "other"})
