"""The audit log: one line of JSON for every change that was tried."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from console.access import Session
from foundation.storage.appended_lines import append_lines


class AuditLog:
    """Adds lines to one file."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Makes the folder. `clock`: unix seconds. Raises OSError where the file cannot be written."""
        self.path = path
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        append_lines(path, [])

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
        append_lines(self.path, [json.dumps(line, ensure_ascii=False)])
