"""A process that the kernel ends leaves a line that says of what and where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from server.ingress.crash_log import CrashLog

SHORTENED = """
import mmap, os, sys, tempfile
from pathlib import Path
from server.ingress.crash_log import record_crashes
record_crashes(Path(sys.argv[1]))
with tempfile.TemporaryFile() as file:
    file.truncate(8192)
    mapped = mmap.mmap(file.fileno(), 8192)
    os.ftruncate(file.fileno(), 0)
    def touch():
        return mapped[5000]
    touch()
"""
ABORTED = """
import os, sys
from pathlib import Path
from server.ingress.crash_log import record_crashes
record_crashes(Path(sys.argv[1]))
os.abort()
"""


@pytest.mark.parametrize(
    ("program", "signal", "words"),
    [(SHORTENED, -7, ("Bus error: a mapped file was shortened", "in touch")), (ABORTED, -6, ("Aborted",))],
    ids=["bus error", "abort"],
)
def test_a_death_is_one_line(tmp_path: Path, program: str, signal: int, words: tuple[str, ...]) -> None:
    log = CrashLog(tmp_path)
    assert log.deaths() == []
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
        assert ended.returncode == signal
        (line,) = log.deaths()
        assert all(word in line for word in words), line
        assert "\n" not in line
        assert log.deaths() == []
    assert CrashLog(tmp_path).deaths() == [], "deaths of an earlier run are not told again"
