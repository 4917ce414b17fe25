"""Files that only the user who runs the program may read."""

from __future__ import annotations

import os

PRIVATE_UMASK = 0o077


def keep_files_private() -> None:
    """Makes files and folders that this process and its children write readable by their owner alone.

    Logs, recordings, data sets and state hold what shoppers did. What others must read, such as models for a
    Triton of another user, is given its mode where it is written.
    """
    os.umask(PRIVATE_UMASK)
