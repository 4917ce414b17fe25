"""The files one process writes into the folder of recordings, which other replicas write into too."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from foundation.storage.files_by_age import files_by_age
from loadtest.recording import SUFFIX, RecordingWriter
from server.recording.settings import RecordingSettings

PREFIX = "requests-"
PRIVATE = ("user_id", "session_id", "event_id")
FREE_TEXT = ("query",)
# A replay must not credit the models that answered then with what shoppers did now.
NEVER_WRITTEN = ("attribution_token",)
_LOOK_AGAIN_S = 10.0

Written = Literal["written", "full", "too_large"]


class RecordingFolder:
    """Appends requests to files of this process and keeps the folder within its size.

    Files are called requests-<host>-<pid>-<time of begin, UTC>-<number>.jsonl. Not safe for several threads.
    """

    def __init__(
        self,
        settings: RecordingSettings,
        pseudonym: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: monotonic seconds; `wall_clock`: unix seconds, for names. Nothing is opened yet."""
        self._settings = settings
        self._pseudonym = None if settings.keep_user_ids else pseudonym
        self._clock = clock
        self._wall_clock = wall_clock
        self._writer: RecordingWriter | None = None
        self._number = 0
        self._full_until: float | None = None

    def write(self, call: str, data: Mapping[str, Any], at_ms: float) -> Written:
        """Appends a request; "full" where the folder has no room, "too_large" where no file has.

        Raises OSError where the disk refused; the file is given up, and the next call begins another.
        """
        try:
            if self._writer is not None and self._writer.record(call, data, at_ms):
                return "written"
            self.close()
            if not self._has_room():
                return "full"
            self._writer = self._open()
            return "written" if self._writer.record(call, data, at_ms) else "too_large"
        except OSError:
            self._give_up()
            raise

    def close(self) -> None:
        """Puts the file in use on disk; the next request begins another. Raises OSError."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _give_up(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            # The first failure is reported; the file is closed either way.
            with suppress(OSError):
                writer.close()

    def _open(self) -> RecordingWriter:
        self._settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        host = re.sub(r"[^A-Za-z0-9.]+", "_", socket.gethostname())
        begun = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._wall_clock()))
        self._number += 1
        return RecordingWriter(
            self._settings.folder / f"{PREFIX}{host}-{os.getpid()}-{begun}-{self._number}{SUFFIX}",
            max_bytes=self._settings.file_bytes,
            pseudonym=self._pseudonym,
            private=PRIVATE,
            left_out=NEVER_WRITTEN if self._settings.keep_user_ids else (*NEVER_WRITTEN, *FREE_TEXT),
        )

    def _has_room(self) -> bool:
        """Whether one more file may be begun; deletes older ones where that is asked for."""
        if self._full_until is not None and self._clock() < self._full_until:
            return False
        files = files_by_age(self._settings.folder, f"{PREFIX}*{SUFFIX}")
        used = sum(size for _, size, _ in files)
        room = self._settings.max_bytes - self._settings.file_bytes
        if self._settings.when_full == "drop_oldest":
            for _, size, path in files:
                if used <= room:
                    break
                path.unlink(missing_ok=True)
                used -= size
        # Someone may take files away: look again, but not at every request.
        self._full_until = None if used <= room else self._clock() + _LOOK_AGAIN_S
        return used <= room
