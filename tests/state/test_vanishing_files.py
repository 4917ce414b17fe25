"""Files of LMDB that are shortened, removed or replaced make the store unavailable, and kill no process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, sys
import faulthandler; faulthandler.enable()
from pathlib import Path
from foundation.storage.errors import StorageUnavailable
from state.registry import open_state
from state.settings import StateSettings
from tests.state.batches import batch

store = open_state(StateSettings(url=f"lmdb://{sys.argv[1]}"))

async def use():
    found = []
    for work in (lambda: store.read("u1"), lambda: store.append(batch(("u1", "i1", 1, 1_700_000_000)))):
        try:
            await work()
            found.append("ok")
        except StorageUnavailable as error:
            found.append(str(error))
    return found

print(asyncio.run(use()), store.status().available, flush=True)
for line in sys.stdin:
    print(asyncio.run(use()), store.status().available, flush=True)
store.close()
print("closed", flush=True)
"""


def truncate(name: str, size: int):
    """Cuts a file off."""
    return lambda folder: os.truncate(folder / name, size)


def replace(folder: Path) -> None:
    """Puts a copy in the file's place."""
    shutil.copy(folder / "data.mdb", folder / "copy")
    os.replace(folder / "copy", folder / "data.mdb")


@pytest.mark.parametrize(
    ("vanish", "words"),
    [
        (truncate("data.mdb", 0), "was shortened"),
        (truncate("data.mdb", 8192), "was shortened"),
        (truncate("lock.mdb", 0), "was shortened"),
        (lambda folder: (folder / "data.mdb").unlink(), "is gone"),
        (replace, "was replaced"),
    ],
    ids=["data to nothing", "data to its head", "lock", "removed", "replaced"],
)
def test_no_process_dies_of_it_and_the_store_says_so(tmp_path: Path, vanish, words: str) -> None:
    folder = tmp_path / "state"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "['ok', 'ok'] True\n"
        vanish(folder)
        process.stdin.write("\n")
        process.stdin.flush()
        said = process.stdout.readline()
        assert said.count(words) == 2, said
        assert "put a backup in its place" in said
        assert said.endswith("False\n")
    finally:
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert rest == "closed\n"


def test_a_file_put_back_in_place_is_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "['ok', 'ok'] True\n"
    backup = (folder / "data.mdb").read_bytes()
    os.truncate(folder / "data.mdb", 0)
    process.stdin.write("\n")
    process.stdin.flush()
    assert "False" in process.stdout.readline()
    with (folder / "data.mdb").open("r+b") as file:
        file.write(backup)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "['ok', 'ok'] True\n"
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_full_disk_is_named_before_the_lock_file_is_mapped(small_disk: Path) -> None:
    from foundation.storage.errors import StorageError
    from state.registry import open_state
    from state.settings import StateSettings

    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    with pytest.raises(StorageError, match="No space left on device"):
        open_state(StateSettings(url=f"lmdb://{small_disk}"))
