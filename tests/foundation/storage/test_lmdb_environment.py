"""An environment that is opened anew while other processes write: what fails then fails one call at most."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import lmdb
import pytest

from foundation.storage.errors import StorageError
from foundation.storage.lmdb_environment import LmdbEnvironment
from tests.foundation.storage.test_lmdb_scrub import contents, forget, opened, put

ROW = (b"a", b"key", b"value")


def _forgets(folder: Path) -> None:
    """Another process deletes, so that every other one has to open the environment anew."""
    with opened(folder) as other:
        forget(other)


def forgotten_by_another(folder: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_forgets, args=(folder,))
    process.start()
    process.join(30)
    assert process.exitcode == 0


@pytest.mark.parametrize(
    ("step", "error", "is_refused"),
    [
        ("_opened", lmdb.Error("too many open files"), True),
        ("_open_database", lmdb.Error("the disk failed"), True),
        ("_open_database", lmdb.MapResizedError("another process has grown the map"), False),
        ("_stored_renewal", lmdb.MapResizedError("another process has grown the map"), False),
    ],
)
def test_what_fails_while_it_is_opened_anew_fails_one_call_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: lmdb.Error, is_refused: bool
) -> None:
    with opened(tmp_path / "lmdb") as environment:
        put(environment, [ROW])
        forgotten_by_another(tmp_path / "lmdb")
        real, failures = getattr(LmdbEnvironment, step), [error]

        def fails_once(self: LmdbEnvironment, *arguments: object) -> object:
            if failures:
                raise failures.pop()
            return real(self, *arguments)

        monkeypatch.setattr(LmdbEnvironment, step, fails_once)
        more = (b"a", b"more", b"value")
        if is_refused:
            with pytest.raises(StorageError):
                put(environment, [more])
        put(environment, [more])
        assert not failures
        assert set(contents(environment)) == {(b"a", b"key"), (b"a", b"more")}
