"""The files of an LMDB environment: growth seen by several threads is no fault, a shorter file is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foundation.storage import lmdb_files
from foundation.storage.errors import StorageUnavailable
from foundation.storage.lmdb_files import LmdbFiles
from foundation.storage.names import StorageNames

NAMES = StorageNames("user state", "state.url", "state.prefix", "make room", "make room")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("data.mdb", "lock.mdb"):
        (tmp_path / name).write_bytes(bytes(4096))
    return tmp_path


def test_growth_between_the_looks_of_two_threads_is_no_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = LmdbFiles(folder, NAMES)
    look = os.stat
    interrupted = False

    def stat(path: str | Path, **options: bool) -> os.stat_result:
        nonlocal interrupted
        seen = look(path, **options)
        if str(path).endswith("data.mdb") and not interrupted:
            interrupted = True
            os.truncate(path, 8192)
            # Another thread, before this one goes on with what it has seen.
            files.check()
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(lmdb_files.os, "stat", stat)
        files.check()
    files.check()


def test_a_shorter_file_is_a_fault_until_it_is_whole_again(folder: Path) -> None:
    files = LmdbFiles(folder, NAMES)
    os.truncate(folder / "data.mdb", 0)
    with pytest.raises(StorageUnavailable, match="shortened from 4096 to 0"):
        files.check()
    os.truncate(folder / "data.mdb", 4096)
    files.check()
