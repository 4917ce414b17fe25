"""The audit log: one line of JSON for every change that was tried."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from console.access import Session


class AuditLog:
    """Adds lines to one file."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Makes the folder. `clock`: unix seconds. Raises OSError where the file cannot be written."""
        self.path = path
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(self._open())

    def note(
        self, session: Session, source: str, action: str, subject: Mapping[str, str], outcome: str
    ) -> None:
        """Adds one line, on disk when this returns. `source`: the browser's address. Raises OSError."""
        line = {
            "at": round(self._clock(), 3),
            "who": session.name,
            "role": session.role,
            "from": source,
            "action": action,
            "subject": dict(subject),
            "outcome": outcome,
        }
        descriptor = self._open()
        try:
            os.write(descriptor, (json.dumps(line, ensure_ascii=False) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
