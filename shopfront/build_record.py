"""What each build step made from which inputs, so that an unchanged step is not run again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from snapshot.durable_files import write_durably


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the inputs' canonical JSON. The inputs must be JSON values."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def files_fingerprint(folder: Path) -> dict[str, list[int]]:
    """Size in bytes and modification time in ns of every file below `folder`, by relative path."""
    return {
        str(path.relative_to(folder)): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class _Entry(msgspec.Struct, frozen=True):
    inputs: str
    made: Any


class BuildRecord:
    """A JSON file: step name → fingerprint of its inputs and what it made.

    A record that cannot be read counts as empty: everything is then built again, which is slow but right.
    """

    def __init__(self, path: Path) -> None:
        """Reads the record at `path`, which need not exist."""
        self._path = path
        try:
            self._steps = msgspec.json.decode(path.read_bytes(), type=dict[str, _Entry])
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            self._steps = {}

    def made(self, step: str, inputs: str) -> Any | None:
        """What `step` made from inputs of this fingerprint, or None if it has not run on them last."""
        entry = self._steps.get(step)
        return entry.made if entry is not None and entry.inputs == inputs else None

    def latest(self, step: str) -> Any:
        """What `step` made last; KeyError where it has not run."""
        return self._steps[step].made

    def has_run(self, step: str) -> bool:
        """Whether `step` has run before, on whatever inputs."""
        return step in self._steps

    def keep(self, step: str, inputs: str, made: Any) -> None:
        """Remember (durably) that `step` made `made` (a JSON value) from inputs of this fingerprint."""
        self._steps[step] = _Entry(inputs, made)
        write_durably(self._path, msgspec.json.format(msgspec.json.encode(self._steps), indent=1))
