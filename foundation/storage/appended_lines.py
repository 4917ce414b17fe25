"""Lines that are added to a log of changes: each whole, and on disk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path


def append_lines(path: Path, lines: Sequence[str]) -> None:
    """Adds lines to a file, which is made where it is missing; all are on disk when this returns, or none is.

    Several processes may add at once. A last line that a process was killed in stays as it is, a line of its
    own. Without lines the file is made, and found to be one that can be written.

    Raises:
        OSError: the file cannot be opened or written, such as on a full disk; what was written of the lines
            is taken off again.
    """
    content = "".join(f"{line}\n" for line in lines).encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if content and size and os.pread(descriptor, 1, size - 1) != b"\n":
            content = b"\n" + content
        try:
            left = memoryview(content)
            while left:
                # A disk that fills up takes a part of it.
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
