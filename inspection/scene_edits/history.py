"""Changes of the scene file that were made through the router: who, why, and both contents."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from snapshot.durable_files import write_durably

KEPT = 200
_ID = re.compile(r"\d{13}-[0-9a-f]{12}")


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `at_ms` in unix milliseconds, contents as text."""

    at_ms: int
    operator: str
    reason: str
    before: str
    after: str

    @property
    def id(self) -> str:
        """Names it; ids sort by time."""
        return f"{self.at_ms:013d}-{digest_of(self.after.encode())[:12]}"


class SceneHistory:
    """A file for each change in one folder, the newest of them. Blocks on the disk."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        """`folder`: made by the first lock; `kept`: changes."""
        self._folder = folder
        self._kept = kept

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One change at a time, whichever process makes it. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def add(self, change: Change) -> None:
        """Keeps a change, on disk when this returns; while `locked`. Raises OSError."""
        write_durably(self._path(change.id), json.dumps(asdict(change), ensure_ascii=False).encode())
        for old in self._ids()[self._kept :]:
            self._path(old).unlink(missing_ok=True)

    def remove(self, change: Change) -> None:
        """Forgets a change that did not come about."""
        self._path(change.id).unlink(missing_ok=True)

    def newest(self, count: int) -> list[Change]:
        """The newest changes first; those that cannot be read are left out."""
        found = (self.find(id) for id in self._ids()[:count])
        return [change for change in found if change is not None]

    def find(self, id: str) -> Change | None:
        """The change of an id, None where there is none or it cannot be read."""
        if not _ID.fullmatch(id):
            return None
        try:
            return Change(**json.loads(self._path(id).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _ids(self) -> list[str]:
        try:
            names = [path.stem for path in self._folder.glob("*.json")]
        except OSError:
            return []
        return sorted((name for name in names if _ID.fullmatch(name)), reverse=True)

    def _path(self, id: str) -> Path:
        return self._folder / f"{id}.json"
