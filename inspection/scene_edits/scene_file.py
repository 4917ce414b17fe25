"""A file of scenes or experiments that routers follow: read, checked as its watch does, and written whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from inspection.bounds import MAX_BYTES
from inspection.scene_edits.history import Change, SceneHistory, digest_of
from router.errors import CallerError, FieldViolation, PreconditionError, RaceLostError
from router.scenes.load import Scenes
from router.scenes.problems import SettingsError
from router.scenes.watch import SceneWatch
from snapshot.durable_files import write_durably

_KIND = "SCENES"
_NEW_FILE_MODE = 0o644
MAX_ALIASES = 20
"""Aliases of aliases make a small text a huge tree."""


@dataclass(frozen=True, slots=True)
class SceneFile:
    """The file, what checks its content, the watch that takes it up, and where its changes are kept.

    setting  that names it, for messages
    path     the file
    draft    content → scenes, as they would serve; raises SettingsError
    watch    takes up edits of the file
    history  keeps what was changed here
    changes  whether it may be changed here
    clock    unix seconds
    absent   content that a missing file counts as; None = it must be there
    """

    setting: str
    path: Path
    draft: Callable[[bytes], Scenes]
    watch: SceneWatch
    history: SceneHistory
    changes: bool
    clock: Callable[[], float]
    absent: bytes | None = None

    def read(self) -> bytes:
        """The content. Blocks on the disk; raises `PreconditionError` where it cannot be read."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            if self.absent is not None and isinstance(error, FileNotFoundError):
                return self.absent
            raise self._unusable(error) from error
        if len(content) > MAX_BYTES:
            raise PreconditionError(
                _KIND, self.setting, f"{self.path} has more than {MAX_BYTES:,} bytes; edit it by hand"
            )
        return content

    def why_fixed(self) -> str:
        """Why it cannot be changed here; "" where it can, as far as its folder says."""
        if not self.changes:
            return "this router takes no changes: inspection.changes is false"
        folder = self.path.resolve().parent
        return "" if os.access(folder, os.W_OK) else f"{folder} cannot be written"

    def checked(self, content: str) -> Scenes:
        """The scenes of a content. Raises `SettingsError` with every key that is wrong."""
        self.refuse_unsafe(content)
        return self.draft(content.encode())

    def refuse_unsafe(self, content: str) -> None:
        """Raises `SettingsError` where a content is too large to be looked at, or no YAML."""
        problem = _unsafe(content)
        if problem:
            raise SettingsError(str(self.path), [problem])

    def write(self, content: str, base_digest: str, operator: str, reason: str) -> Change:
        """Writes a content that was checked, and keeps what it replaced. Blocks on the disk.

        Raises:
            PreconditionError: the file or its history cannot be written; nothing is changed.
            RaceLostError: the file is not that of `base_digest` any more.
            CallerError: it has this content already.
        """
        if self.why_fixed():
            raise PreconditionError("CHANGES", self.setting, self.why_fixed())
        path = self.path.resolve()
        try:
            with self.history.locked():
                before = self.read()
                if digest_of(before) != base_digest:
                    raise RaceLostError(
                        "another edit", f"{self.path} has changed since it was read; read it again"
                    )
                if before == content.encode():
                    raise CallerError.of("content", "is what the file contains already")
                change = Change(
                    int(self.clock() * 1_000), operator, reason, before.decode("utf-8", "replace"), content
                )
                self.history.add(change)
                try:
                    mode = path.stat().st_mode & 0o777 if path.exists() else _NEW_FILE_MODE
                    write_durably(path, content.encode())
                    path.chmod(mode)
                except OSError:
                    self.history.remove(change)
                    raise
        except OSError as error:
            raise self._unusable(error) from error
        return change

    def take_up(self, content: bytes) -> str:
        """Has the watch decide about the content at once; why it is refused, "" where it serves.

        Call it on the event loop of the watch.
        """
        # The watch takes only what two looks in a row have found.
        self.watch.consider(content)
        self.watch.consider(content)
        return self.watch.status.refused or ""

    def _unusable(self, error: OSError) -> PreconditionError:
        where = error.filename or self.path
        return PreconditionError(_KIND, self.setting, f"{where} cannot be used: {error.strerror or error}")


def violations(error: SettingsError) -> CallerError:
    """A refused content as the caller's error: one violation for each key."""
    return CallerError([FieldViolation("content", problem) for problem in error.problems])


def _unsafe(content: str) -> str:
    """What keeps a content from being read at all; "" where nothing does."""
    if len(content.encode()) > MAX_BYTES:
        return f"more than {MAX_BYTES:,} bytes are not taken"
    try:
        aliases = sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(content, yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return " ".join(str(error).split())
    return f"more than {MAX_ALIASES} aliases are not taken" if aliases > MAX_ALIASES else ""
