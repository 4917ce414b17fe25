"""ONNX Runtime sends no reports of its use, whichever room loads it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from triton_repo.usage_reports import REFUSED_BY

PROJECT = Path(__file__).parents[2]
STANDALONE = PROJECT / "triton_repo" / "backends"
"""Runs in the embedded server's processes, which have the environment of the process that starts it."""

IMPORTS = re.compile(r"^\s*(?:import|from) onnxruntime\b", re.MULTILINE)


def rooms_that_load_it() -> list[str]:
    """Top-level folders with a file that imports ONNX Runtime."""
    rooms = {file.relative_to(PROJECT).parts[0] for file in PROJECT.glob("[a-z]*/**/*.py") if loads(file)}
    return sorted(rooms - {"build"})


def loads(file: Path) -> bool:
    return STANDALONE not in file.parents and IMPORTS.search(file.read_text()) is not None


@pytest.mark.parametrize("room", rooms_that_load_it())
def test_a_room_that_loads_it_has_refused_them_before(room: str, tmp_path: Path) -> None:
    """Where they are not refused, loading the library leaves an id of the device in the home folder."""
    unset = {REFUSED_BY, "XDG_CACHE_HOME"}
    environment = {key: value for key, value in os.environ.items() if key not in unset} | {
        "HOME": str(tmp_path)
    }
    code = f"import {room}, onnxruntime; onnxruntime.SessionOptions()"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=PROJECT, check=True)
    assert not list(tmp_path.rglob("*"))


def test_who_wants_reports_may_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REFUSED_BY, "0")
    code = f"import os, triton_repo; print(os.environ[{REFUSED_BY!r}])"
    told = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, stdout=subprocess.PIPE)
    assert told.stdout == b"0\n"
