"""Prometheus' own `promtool`: from PATH, else from Debian's package, unpacked below `build/` without root."""

import fcntl
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "prometheus"


@cache
def promtool() -> str:
    """Path of the program; skips the test where it cannot be had."""
    found = shutil.which("promtool")
    if found is not None:
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip("promtool is not on PATH, and there is no apt-get to fetch it with")
    program = CACHE / "promtool"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _unpack(program)
    return str(program)


def _unpack(target: Path) -> None:
    staged = CACHE / "staged"
    shutil.rmtree(staged, ignore_errors=True)
    (staged / "root").mkdir(parents=True)
    result = subprocess.run(
        ["apt-get", "download", "prometheus"], cwd=staged, capture_output=True, text=True, timeout=120
    )
    if result.returncode:
        pytest.skip(f"promtool is not on PATH and apt-get cannot fetch it: {result.stderr.strip()}")
    (package,) = staged.glob("*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(staged / "root")], check=True, timeout=120)
    (staged / "root" / "usr" / "bin" / "promtool").rename(target)
    shutil.rmtree(staged)


def run_promtool(*arguments: str, folder: Path) -> str:
    """What it says; fails the test where it ends with an error."""
    result = subprocess.run([promtool(), *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
