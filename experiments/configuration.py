"""Scenes and experiments together: an edit of either file is checked against the other as it serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from experiments.load import with_experiments
from foundation.verdicts.gate import VerdictGate
from router.scenes.load import KnownNames, Scenes


def experiments_content(path: Path | None) -> bytes:
    """The bytes of the experiments file; none where it is not there, as before the first experiment."""
    try:
        return path.read_bytes() if path is not None else b""
    except FileNotFoundError:
        return b""


class SceneConfiguration:
    """The contents of the two files when they were last loaded.

    `with_scenes` and `with_experiments` read an edit without taking it up; `take_up` does, once it serves.
    """

    def __init__(
        self,
        read: Callable[[bytes], Scenes],
        experiments: Path | None,
        known: KnownNames,
        verdicts: VerdictGate | None = None,
    ) -> None:
        """Reads nothing yet.

        `read`: scene file's bytes → scenes; `known`: names they may use; `experiments`: None = none;
        `verdicts`: of which every arm needs one that passed, None = it needs none.
        """
        self._read = read
        self._path = experiments
        self._known = known
        self._verdicts = verdicts
        self._scenes: Scenes | None = None
        self._experiments = b""
        self._edited: tuple[Scenes, bytes] | None = None

    def load(self, scenes: Path) -> Scenes:
        """Reads both files and takes them up. Raises `SettingsError` or OSError."""
        experiments = experiments_content(self._path)
        together = self._together(self._read(scenes.read_bytes()), experiments)
        self.take_up()
        return together

    def with_scenes(self, content: bytes) -> Scenes:
        """Edited scenes under the present experiments. Raises `SettingsError`, of either file."""
        return self._together(self._read(content), self._experiments)

    def draft(self, content: bytes) -> Scenes:
        """As `with_scenes`, of scenes that nobody has written yet: nothing is kept. Runs on any thread."""
        return with_experiments(
            self._read(content), self._experiments, str(self._path), self._known, self._verdicts
        )

    def draft_experiments(self, content: bytes) -> Scenes:
        """As `with_experiments`, of experiments that nobody has written yet: nothing is kept.

        Runs on any thread.
        """
        if self._scenes is None:
            raise RuntimeError("no scenes were loaded")
        return with_experiments(self._scenes, content, str(self._path), self._known)

    def with_experiments(self, content: bytes) -> Scenes:
        """The present scenes under edited experiments. Raises `SettingsError`."""
        if self._scenes is None:
            raise RuntimeError("no scenes were loaded")
        return self._together(self._scenes, content)

    def take_up(self) -> None:
        """What was read last serves from now on."""
        if self._edited is not None:
            self._scenes, self._experiments = self._edited

    def _together(self, scenes: Scenes, experiments: bytes) -> Scenes:
        together = with_experiments(scenes, experiments, str(self._path), self._known, self._verdicts)
        self._edited = (scenes, experiments)
        return together
