"""The folder of one training by several workers, which all nodes and the build share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from snapshot.durable_files import write_durably


class Course(msgspec.Struct, frozen=True):
    """How far training is: `step` of `steps`, its loss, the latest validation, and how many workers train."""

    step: int
    steps: int
    loss: float
    metrics: dict[str, float]
    workers: int


class Ended(msgspec.Struct, frozen=True):
    """How training ended: the checkpoint and its metrics, or the fault of data or settings."""

    checkpoint: str = ""
    metrics: dict[str, float] = {}
    fault: str = ""


@dataclass(frozen=True)
class TrainingFiles:
    """Reads and writes what workers and the build tell each other; every file is whole or absent."""

    folder: Path

    @property
    def course(self) -> Path:
        """Weights and what else training goes on from (`models.gradient_sums`)."""
        return self.folder / "course.pt"

    def begin(self) -> None:
        """Makes the folder; how an attempt of before ended is forgotten, and how far it was is kept.

        What is done already goes on from its last validation, which is the last step: its checkpoint is
        written again, also where somebody removed it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ended.unlink(missing_ok=True)

    def tell(self, course: Course) -> None:
        """Says how far training is; it need not outlast a crash."""
        staged = self._told.with_suffix(".new")
        staged.write_bytes(msgspec.json.encode(course))
        os.replace(staged, self._told)

    def told(self) -> Course | None:
        """What was said last; None before the first step."""
        try:
            return msgspec.json.decode(self._told.read_bytes(), type=Course)
        except FileNotFoundError:
            return None

    def done(self, checkpoint: str, metrics: dict[str, float]) -> None:
        """Training is done, and the checkpoint is there."""
        write_durably(self._ended, msgspec.json.encode(Ended(checkpoint, metrics)))

    def fail(self, fault: str) -> None:
        """Training cannot be done with this data and these settings."""
        write_durably(self._ended, msgspec.json.encode(Ended(fault=fault)))

    def ended(self) -> Ended | None:
        """How it ended; None while it has not."""
        try:
            return msgspec.json.decode(self._ended.read_bytes(), type=Ended)
        except FileNotFoundError:
            return None

    @property
    def _told(self) -> Path:
        return self.folder / "told.json"

    @property
    def _ended(self) -> Path:
        return self.folder / "ended.json"
