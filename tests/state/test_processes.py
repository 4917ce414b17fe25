"""Several processes on one environment, and processes killed while they write."""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.storage.errors import StorageError
from state import StateSettings, open_state
from tests.state.batches import batch

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WRITER = "tests.state.event_writer"


def start_writer(url: str, name: str, count: int, map_bytes: int = 1 << 28) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", WRITER, url, name, str(count), str(map_bytes)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_two_processes_write_one_environment(lmdb_settings: StateSettings) -> None:
    writers = [start_writer(lmdb_settings.url, name, 150) for name in ("left", "right")]
    store = open_state(lmdb_settings)
    for writer in writers:
        output, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        assert len(output.splitlines()) == 150
    entries = list(store.read_log())
    assert [seq for seq, _ in entries] == list(range(1, 301))
    for name in ("left", "right"):
        assert [entry.item_id for _, entry in entries if entry.session_id == name] == [
            f"{name}-{n}" for n in range(150)
        ]
    assert len((await store.read("shared")).behaviours.items) == 200
    store.close()


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_acknowledged_survives_a_kill(lmdb_settings: StateSettings, seed: int) -> None:
    target = random.Random(seed).randrange(1, 400)
    writer = start_writer(lmdb_settings.url, "doomed", 1_000_000)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(target)]
    writer.send_signal(signal.SIGKILL)
    with writer.stdout as rest:
        acknowledged += [line.strip() for line in rest if line.endswith("\n")]
    writer.wait(timeout=30)
    assert len(acknowledged) >= target

    store = open_state(lmdb_settings)
    logged = [entry.item_id for _, entry in store.read_log()]
    assert logged[: len(acknowledged)] == acknowledged
    assert [seq for seq, _ in store.read_log()] == list(range(1, len(logged) + 1))
    behaviours = (await store.read("shared")).behaviours
    assert len(behaviours.items) == min(200, len(logged))
    await store.append(batch(("after", "a", 2, 1)))
    assert len((await store.read("after")).behaviours.items) == 1
    store.close()


async def test_a_map_grown_by_another_process_is_adopted(tmp_path: Path) -> None:
    small = StateSettings(url=f"lmdb://{tmp_path}/s", map_initial_bytes=1 << 20)
    store = open_state(small)
    await store.append(batch(("mine", "a", 2, 1)))
    writer = start_writer(small.url, "grower", 300, map_bytes=1 << 20)
    output, _ = writer.communicate(timeout=60)
    assert writer.returncode == 0
    assert len(output.splitlines()) == 300
    assert (tmp_path / "s/data.mdb").stat().st_size > 1 << 20

    assert len((await store.read("shared")).behaviours.items) == 200
    assert len(list(store.read_log())) == 301
    await store.append(batch(("mine", "b", 2, 2)))
    assert len((await store.read("mine")).behaviours.items) == 2
    store.close()


async def test_a_writer_adopts_a_map_grown_by_another_process(tmp_path: Path) -> None:
    small = StateSettings(url=f"lmdb://{tmp_path}/s", map_initial_bytes=1 << 20)
    store = open_state(small)
    writer = start_writer(small.url, "grower", 300, map_bytes=1 << 20)
    writer.communicate(timeout=60)
    await store.append(batch(("mine", "b", 2, 2)))
    assert len((await store.read("mine")).behaviours.items) == 1
    store.close()


async def test_a_full_map_grows_while_it_is_read(tmp_path: Path) -> None:
    store = open_state(StateSettings(url=f"lmdb://{tmp_path}/s", map_initial_bytes=1 << 20, sync=False))
    stop = False

    def read_on() -> int:
        reads = 0
        while not stop:
            asyncio.run(store.read(f"u{reads % 300}"))
            reads += 1
        return reads

    reader = asyncio.create_task(asyncio.to_thread(read_on))
    for part in range(30):
        await store.append(batch(*[(f"u{n}", f"i{part}", 2, part) for n in range(300)]))
    stop = True
    assert await reader > 0
    assert (tmp_path / "s/data.mdb").stat().st_size > 1 << 20
    states = await store.read_many([f"u{n}" for n in range(300)])
    assert all(state.behaviours.ts.tolist() == list(range(29, -1, -1)) for state in states)
    store.close()


async def test_a_map_that_may_not_grow_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    settings = StateSettings(url=f"lmdb://{tmp_path}/s", map_initial_bytes=1 << 20, map_max_bytes=1 << 20)
    store = open_state(settings)

    async def fill() -> None:
        for part in range(100):
            await store.append(batch(*[(f"u{part}-{n}", "i" * 200, 2, n) for n in range(300)]))

    with pytest.raises(StorageError, match=r"raise state\.map_max_bytes"):
        await fill()
    stored = len(list(store.read_log()))
    assert stored > 0
    assert stored % 300 == 0
    assert len((await store.read("u0-0")).behaviours.items) == 1
    store.close()
