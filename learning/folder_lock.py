"""Keeps a folder to one learner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_LOCK = ".learner.lock"


class LearnerBusy(Exception):
    """Another learner publishes in the folder."""


def lock_folder(folder: Path) -> int:
    """Makes the folder where it is missing; a descriptor that holds its lock while it is open.

    Raises:
        LearnerBusy: another learner has the folder.
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LearnerBusy(f"another learner has {folder}; stop it, or set router.learning.folder") from None
    return descriptor
