"""Whether files can be written in a folder, found out by writing one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

_A_PAGE = bytes(4096)


def why_not_writable(folder: Path, existing: Iterable[str] = ()) -> str:
    """Why nothing can be written in `folder`, in one line with the path; "" where it can.

    Modes do not say it: a disk may be full, mounted read-only or broken, and root passes every mode. Where
    the folder is absent, the nearest one above it is tried, in which it would be made.

    Args:
        folder: to be written in.
        existing: names of files in it that would be written, where they are there.
    """
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    try:
        with tempfile.TemporaryFile(dir=nearest, prefix=".writable-") as file:
            file.write(_A_PAGE)
            file.flush()
    except OSError as error:
        return f"{nearest} cannot be written ({error.strerror})"
    for path in (folder.absolute() / name for name in existing):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC))
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{path} cannot be written ({error.strerror})"
    return ""
