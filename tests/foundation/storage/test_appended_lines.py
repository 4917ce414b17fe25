"""Lines of a log of changes: whole or not there, whatever happens to the disk or the process."""

from __future__ import annotations

import multiprocessing
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foundation.storage.appended_lines import append_lines


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files may have `size` bytes while the body runs, so that a write beyond is cut short, then fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_lines_are_added_in_order_to_a_file_of_the_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append_lines(log, ["one"])
    append_lines(log, ["two", "drei für zwölf"])
    assert log.read_text() == "one\ntwo\ndrei für zwölf\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_disk_that_fills_up_meanwhile_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append_lines(log, ["kept"])
    with largest_file(12), pytest.raises(OSError, match="File too large"):
        append_lines(log, ["first", "second, which is cut off"])
    assert log.read_text() == "kept\n"
    append_lines(log, ["later"])
    assert log.read_text() == "kept\nlater\n"


def test_a_line_that_a_process_was_killed_in_is_not_glued_to_the_next(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('whole\n{"cut of')
    append_lines(log, ["next"])
    assert log.read_text().splitlines() == ["whole", '{"cut of', "next"]


def test_lines_of_several_processes_are_not_mixed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    writers = [multiprocessing.Process(target=_write, args=(log, letter)) for letter in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    lines = log.read_text().splitlines()
    assert sorted(lines) == sorted(letter * 5_000 for letter in "aaaaabbbbbccccc")


def _write(log: Path, letter: str) -> None:
    for _ in range(5):
        append_lines(log, [letter * 5_000])
