"""What other users of the machine can read, by the modes of files and of the folders above them."""

from __future__ import annotations

import stat
from pathlib import Path

_READ, _PASS = stat.S_IROTH | stat.S_IRGRP, stat.S_IXOTH | stat.S_IXGRP


def readable_by_others(folder: Path) -> list[Path]:
    """Files and lists of files below `folder`, relative to it, that its group or anybody may read."""
    found: list[Path] = []
    _search(folder, folder, found)
    return found


def _search(folder: Path, root: Path, found: list[Path]) -> None:
    mode = folder.stat().st_mode
    if mode & _READ:
        found.append(folder.relative_to(root))
    if not mode & _PASS:
        return
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if path.is_dir():
            _search(path, root, found)
        elif path.stat().st_mode & _READ:
            found.append(path.relative_to(root))
