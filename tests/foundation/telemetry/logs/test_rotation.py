"""Logs of bounded size: several writers lose no line, and a writer that hangs holds up no other."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
from pathlib import Path

import pytest

from foundation.telemetry.logs.rotation import RotatingFile, move_if_full

KIB = 1 / 1024


def _lines(path: Path, kept: int) -> list[str]:
    files = [path.with_name(f"{path.name}.{age}") for age in range(kept, 0, -1)] + [path]
    return [line for file in files if file.exists() for line in file.read_text().splitlines()]


def _handler(path: Path, *, kib: float, kept: int) -> RotatingFile:
    handler = RotatingFile(path, kib * KIB, kept)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def _write(path: Path, name: str, lines: int, kib: float, kept: int) -> None:
    handler = _handler(path, kib=kib, kept=kept)
    for number in range(lines):
        handler.emit(_record(f"{name} {number}"))
    handler.close()


def _record(message: str) -> logging.LogRecord:
    return logging.LogRecord("shopfront", logging.INFO, __file__, 1, message, None, None)


def test_a_full_file_becomes_the_first_older_one_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    log = tmp_path / "replicas.log"
    _write(log, "line", lines=1_000, kib=1, kept=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["replicas.log", "replicas.log.1", "replicas.log.2", "replicas.log.lock"]
    assert all(path.stat().st_size < 1_200 for path in tmp_path.iterdir())
    kept = _lines(log, 2)
    assert kept == [f"line {number}" for number in range(1_000 - len(kept), 1_000)]
    assert len(kept) > 200


def test_writers_in_several_processes_lose_no_line(tmp_path: Path) -> None:
    log = tmp_path / "replicas.log"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(log, f"w{i}", 400, 2, 50)) for i in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    lines = _lines(log, 50)
    assert len(list(tmp_path.glob("replicas.log.*"))) > 3
    for i in range(3):
        assert [line for line in lines if line.startswith(f"w{i} ")] == [f"w{i} {n}" for n in range(400)]


def test_a_writer_stopped_while_it_moves_the_file_holds_up_no_other(tmp_path: Path) -> None:
    log = tmp_path / "replicas.log"
    with (tmp_path / "replicas.log.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write(log, "line", lines=300, kib=1, kept=1)
    assert _lines(log, 1) == [f"line {number}" for number in range(300)]
    assert not (tmp_path / "replicas.log.1").exists()


def test_zero_never_moves_it(tmp_path: Path) -> None:
    log = tmp_path / "replicas.log"
    _write(log, "line", lines=300, kib=0, kept=1)
    assert [path.name for path in tmp_path.iterdir()] == ["replicas.log"]


def test_a_log_held_open_by_another_program_is_copied_and_emptied(tmp_path: Path) -> None:
    log = tmp_path / "router.log"
    with log.open("a") as held:
        held.write("old\n" * 300)
        held.flush()
        move_if_full(log, 1 * KIB, kept=2)
        held.write("new\n")
        held.flush()
        move_if_full(log, 1 * KIB, kept=2)
    assert log.read_text() == "new\n"
    assert (tmp_path / "router.log.1").read_text() == "old\n" * 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["router.log", "router.log.1"]


def test_a_disk_without_room_for_the_copy_leaves_the_log_as_it_was(small_disk: Path) -> None:
    log = small_disk / "router.log"
    log.write_bytes(b"x" * 3 * 1024 * 1024)
    with pytest.raises(OSError, match="No space left"):
        move_if_full(log, 1.0, kept=2)
    assert [path.name for path in small_disk.iterdir() if path.name != "lost+found"] == ["router.log"]
    assert log.stat().st_size == 3 * 1024 * 1024
