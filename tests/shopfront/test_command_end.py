"""How the command ends where its work cannot be done."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path

import polars as pl
import pytest

from shopfront import command_line
from shopfront.command_end import full_disk


def test_a_full_disk_is_one_line_whichever_library_wrote(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))

    def write() -> None:
        pl.DataFrame({"a": list(range(100_000))}).write_parquet(small_disk / "events.parquet")

    monkeypatch.setattr(command_line, "app", write)
    # What they change is the process's, which runs other tests.
    monkeypatch.setattr(command_line, "keep_files_private", lambda: None)
    monkeypatch.setattr(command_line, "remember_interrupts", threading.Event)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 1
    assert "is full (No space left on device): make room" in capsys.readouterr().err


def test_what_a_full_disk_caused_names_the_file_where_that_is_known() -> None:
    known = OSError(errno.ENOSPC, "No space left on device", "/data/a")
    assert full_disk(known).startswith("the disk of /data/a is full")
    of_a_library = RuntimeError("cannot be written")
    of_a_library.__cause__ = OSError(errno.EDQUOT, "Disk quota exceeded")
    assert full_disk(of_a_library).startswith("the disk of the workspace, or of ")
    assert full_disk(OSError(errno.EROFS, "Read-only file system", "/data/a")) == ""
    assert full_disk(ValueError("a bug")) == ""
