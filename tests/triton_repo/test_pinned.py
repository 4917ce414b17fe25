"""Pinned versions: what Triton loads where the two newest are not the right ones."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from models.contracts import contracts
from testing.triton_models import add_tiny_version, bst_feeds
from testing.triton_server import infer, tiny_triton
from triton_repo.bound_process import session_of
from triton_repo.control import TritonControl, publish_version, reload_version
from triton_repo.errors import RepositoryError
from triton_repo.pinned import Pinned
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    """Versions 1 to 4 of the tiny bst, configured."""
    made = ModelRepository(tmp_path / "triton", contracts())
    for seed in range(1, 5):
        add_tiny_version(made, "bst", seed)
    made.configure({"bst": ModelSettings()})
    return made


def policy(repository: ModelRepository) -> str:
    """The version policy in the model's configuration, in one line."""
    text = (repository.models_folder / "bst" / "config.pbtxt").read_text()
    return " ".join(text.split("version_policy", 1)[1].split("}", 2)[0].split())


def test_pins_survive_a_restart_but_for_what_is_on_trial(repository: ModelRepository) -> None:
    assert "latest" in policy(repository)
    repository.pin("bst", Pinned((1, 4), on_trial=(4,), holder="r"))
    assert policy(repository).count("versions") == 2
    again = ModelRepository(repository.root, contracts())
    again.configure({"bst": ModelSettings()})
    assert again.pinned("bst") == Pinned((1, 4), (4,), "r")
    assert "versions: 1" in policy(again)
    assert "versions: 4" not in policy(again)


def test_pinned_versions_are_kept_and_missing_ones_are_not_asked_for(repository: ModelRepository) -> None:
    repository.pin("bst", Pinned((1, 9)))
    assert policy(repository).count("versions") == 1
    assert repository.prune("bst", keep=1) == [2, 3]
    assert repository.versions("bst") == [1, 4]


def test_what_is_to_be_loaded_and_is_not_there_is_found(repository: ModelRepository) -> None:
    assert repository.lacking("bst", None) == repository.lacking("bst", 4) == []
    assert repository.lacking("bst", 7) == [7]
    repository.pin("bst", Pinned((4, 9), on_trial=(9,), holder="r"))
    assert repository.lacking("bst", 4) == []
    repository.pin("bst", Pinned((8,), instead_of=1))
    assert repository.lacking("bst", 1) == [8]


def test_a_published_version_joins_the_pins(repository: ModelRepository) -> None:
    held = Pinned((1, 3), (3,), "r").with_version(4)
    assert held == Pinned((1, 3, 4), (3,), "r")
    assert Pinned((1, 3)).with_version(4).versions == (3, 4)


def test_what_is_served_is_loaded_though_candidates_are_newer(repository: ModelRepository) -> None:
    for newest in (3, 4):
        repository.require("bst", newest)
        assert repository.pinned("bst") is None
    repository.require("bst", 9)
    assert repository.pinned("bst") is None
    repository.require("bst", 2)
    assert repository.pinned("bst") == Pinned((2,))
    repository.configure({"bst": ModelSettings()})
    assert "versions: 2" in policy(repository)


@pytest.mark.parametrize(
    ("pinned", "named", "expected"),
    [
        (Pinned((2,)), 2, Pinned((2,))),
        # A build while nothing was served.
        (Pinned((1, 2)), 4, Pinned((2, 4))),
        # Promoted over what the snapshot names.
        (Pinned((3,), instead_of=1), 1, Pinned((3,), instead_of=1)),
        (Pinned((3,), instead_of=1), 4, Pinned((3, 4), instead_of=1)),
        # In the middle of a rollout.
        (Pinned((1, 3), (3,), "r"), 1, Pinned((1, 3), (3,), "r")),
        (Pinned((1, 3), (3,), "r"), 4, Pinned((1, 3, 4), (3,), "r")),
        (Pinned((1, 3), (3,), "r"), 3, Pinned((1, 3), (), "r")),
    ],
)
def test_what_a_snapshot_names_joins_the_pins_unless_it_was_replaced(
    repository: ModelRepository, pinned: Pinned, named: int, expected: Pinned
) -> None:
    repository.pin("bst", pinned)
    repository.require("bst", named)
    assert repository.pinned("bst") == expected


def test_what_is_served_is_noted_and_damage_is_named(repository: ModelRepository) -> None:
    assert repository.served() == {}
    repository.record_served({"bst": 2, "mind": 1})
    assert ModelRepository(repository.root).served() == {"bst": 2, "mind": 1}
    (repository.root / "served.json").write_text("[")
    with pytest.raises(RepositoryError, match=r"served\.json cannot be read"):
        repository.served()


def test_damaged_pins_are_named(repository: ModelRepository) -> None:
    repository.pin("bst", Pinned((1,)))
    (repository.root / "pinned" / "bst.json").write_text("{")
    with pytest.raises(RepositoryError, match=r"pinned/bst\.json cannot be read"):
        repository.configure({"bst": ModelSettings()})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server over versions 1 to 3 of the tiny bst, 1 and 2 loaded at first."""
    with tiny_triton(tmp_path_factory.mktemp("pinned")) as started:
        for seed in (2, 3):
            add_tiny_version(started.repository, "bst", seed)
        yield started


def processes(server: TritonServer, version: int) -> list[int]:
    """Process ids of the model processes of one version of bst."""
    assert server._process is not None
    folder = f"/bst/{version}/"
    return [p.pid for p in session_of(server._process) if folder in " ".join(_command(p))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@pytest.mark.slow
def test_versions_come_and_go_while_the_stable_one_answers_by_the_same_process(server: TritonServer) -> None:
    stop, failures, answered = threading.Event(), [], [0]

    def ask() -> None:
        while not stop.is_set():
            try:
                infer(server.grpc_url, "bst", bst_feeds(1, 5), version="1")
                answered[0] += 1
            except Exception as error:
                failures.append(str(error))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    with TritonControl(server.grpc_url) as control:
        before = processes(server, 1)
        server.repository.pin("bst", Pinned((1, 3), on_trial=(3,), holder="r"))
        control.load("bst")
        assert control.ready_versions("bst") == [1, 3]
        (candidate,) = processes(server, 3)
        os.kill(candidate, signal.SIGKILL)
        until = time.monotonic() + 10
        while processes(server, 3):
            assert time.monotonic() < until
            time.sleep(0.05)
        reload_version(control, server.repository, "bst", 3)
        assert infer(server.grpc_url, "bst", bst_feeds(1, 5), version="3").shape == (5,)
        publish_version(control, server.repository, "bst", add_tiny_version(server.repository, "bst", seed=4))
        assert control.ready_versions("bst") == [1, 3, 4]
        server.repository.pin("bst", Pinned((1,)))
        control.load("bst")
        assert control.ready_versions("bst") == [1]
        assert processes(server, 1) == before
    stop.set()
    asking.join(10)
    assert not failures
    assert answered[0] > 0
