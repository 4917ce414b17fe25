"""A command in a copy of a process: its exit status, its output, and that nothing of it stays."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from shopfront import forked_command

PROGRAM = """
import sys
from shopfront.forked_command import run_forked
statuses = [run_forked(["build", "--config", "nowhere.yaml"]), run_forked(["build", "--help"])]
print(*statuses, "shopfront.settings" in sys.modules)
"""


def test_a_copy_runs_the_command_and_ends_with_its_status(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert "nowhere.yaml is refused" in ended.stderr
    assert "--workspace" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "1 0 False"


def test_a_process_with_threads_that_a_copy_would_lack_starts_one_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import polars

    assert polars.__name__ in sys.modules
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: pytest.fail(f"copied by {method}"))
    assert forked_command.run_forked(["build", "--config", "nowhere.yaml"]) == 1
    assert forked_command.run_forked(["build", "--help"]) == 0
