"""Files of a folder that several processes write and delete."""

from __future__ import annotations

from pathlib import Path


def files_by_age(folder: Path, pattern: str) -> list[tuple[float, int, Path]]:
    """Time of the last write (unix seconds), bytes and path of every matching file, oldest first."""
    found = []
    for path in folder.glob(pattern):
        try:
            status = path.stat()
        except FileNotFoundError:
            # Another process has deleted it meanwhile.
            continue
        found.append((status.st_mtime, status.st_size, path))
    return sorted(found)
