"""A disk of a few MiB that a test may fill or make read-only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def can_mount() -> bool:
    """Whether this process may mount a disk."""
    return os.geteuid() == 0


@contextmanager
def mounted_disk(folder: Path, mib: int = 4) -> Iterator[Path]:
    """A file system in memory of `mib` MiB, mounted at the new `folder` while the body runs.

    Raises CalledProcessError where mounting is not allowed.
    """
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
