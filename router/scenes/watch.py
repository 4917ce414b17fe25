"""Takes up edits of the scene configuration while requests are served."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from router.scenes.load import Scenes
from router.scenes.problems import SettingsError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """State of the watch.

    digest   SHA-256 of the file that serves
    refused  why the file's present content does not serve; None where it does
    """

    digest: str
    refused: str | None


class SceneWatch:
    """Keeps the last good scenes of a file that is edited.

    It compares content, not times, so that an editor that replaces the file, a symbolic link that is swapped
    and a copy with old times are all seen. New content is taken only once two looks in a row have found it
    the same, so a file that is still being written is left alone.

    path        the file
    read        content → scenes; raises SettingsError (see `read_scenes`)
    serving     scenes that serve now
    on_change   called with new good scenes; where it raises SettingsError they are refused too
    on_refused  called once with why, for every content that is refused
    absent      content that a missing file counts as; None = it is refused
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[bytes], Scenes],
        serving: Scenes,
        on_change: Callable[[Scenes], None],
        on_refused: Callable[[str], None] | None = None,
        absent: bytes | None = None,
    ) -> None:
        """Begins with the scenes that serve; the file is not read yet."""
        self._path = path
        self._read = read
        self._on_change = on_change
        self._on_refused = on_refused
        self._absent = absent
        self._settled: bytes | str | None = None
        self._last: bytes | str | None = None
        self.scenes = serving
        self.status = WatchStatus(serving.digest, None)

    def look(self) -> None:
        """Looks at the file once; takes it up or refuses it where it has changed and settled."""
        self.consider(self.content())

    def has_decided(self, content: bytes) -> bool:
        """Whether this content is what was taken up or refused last."""
        return content == self._settled

    def retry(self) -> None:
        """Lets content that was refused be considered again, since what it needs may be there now."""
        if self.status.refused is not None:
            self._settled = None

    def content(self) -> bytes | str:
        """The file's bytes; where it cannot be read, a text with the reason."""
        try:
            return self._path.read_bytes()
        except OSError as error:
            if self._absent is not None and isinstance(error, FileNotFoundError):
                return self._absent
            return f"{self._path} cannot be read: {error.strerror or error}"

    def consider(self, content: bytes | str) -> None:
        """Decides about what a look at the file has found (as `content` returns it)."""
        settled = content == self._last
        self._last = content
        if not settled or content == self._settled:
            return
        self._settled = content
        if isinstance(content, str):
            self._refuse(content)
            return
        try:
            scenes = self._read(content)
            if scenes.digest != self.scenes.digest:
                self._on_change(scenes)
        except SettingsError as error:
            self._refuse(str(error))
            return
        except Exception as error:
            self._refuse(f"{self._path} could not be taken up: {type(error).__name__}: {error}")
            raise
        if scenes.digest != self.scenes.digest or self.status.refused is not None:
            log.info("scenes of %s serve (%s)", self._path, scenes.digest[:12])
        self.scenes = scenes
        self.status = WatchStatus(scenes.digest, None)

    def _refuse(self, reason: str) -> None:
        log.error("%s; the scenes read before keep serving", reason)
        self.status = WatchStatus(self.scenes.digest, reason)
        if self._on_refused is not None:
            self._on_refused(reason)


async def watch_scenes(watch: SceneWatch, interval_s: float) -> None:
    """Looks at the file every `interval_s` seconds until cancelled; its callbacks run on this event loop.

    The file is read in a thread, so a slow disk holds up no request. An unforeseen exception of a callback is
    logged and the watch goes on.
    """
    while True:
        content = await asyncio.to_thread(watch.content)
        try:
            watch.consider(content)
        except Exception:
            log.exception("a callback of the watch on the scenes failed")
        await asyncio.sleep(interval_s)
