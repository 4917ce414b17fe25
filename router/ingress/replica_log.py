"""Where a replica's log goes: one file for all replicas, since Ray's own logs vanish with its session."""

from __future__ import annotations

import logging
from logging.handlers import WatchedFileHandler
from pathlib import Path

LOG_NAME = "replicas.log"


def log_to_file(folder: Path) -> None:
    """Appends everything logged from INFO up to `<folder>/replicas.log`; a rotated file is opened anew."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = WatchedFileHandler(folder / LOG_NAME)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
