"""Recorded requests: reading a recording for replay, and writing one file of it safely.

A recording is JSON lines, one request each: `{"offset_ms": 12.5, "call": "package.Service/Method", "data":
{…}}` with the message as JSON, or `"binary": "<base64>"` with it serialised; `metadata` is optional. Offsets
count from any moment that all files of a recording share; the router takes 1970, so that what its replicas
write apart is put together by sorting. Lines that begin with `#` were erased.
"""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from loadtest.errors import LoadTestError

SUFFIX = ".jsonl"
_ERASED = b"#"


class RecordedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request; either `data` (its JSON) or `binary` (base64 of its serialised form) is given."""

    offset_ms: float
    call: str = ""
    data: dict[str, Any] | None = None
    binary: str = ""
    metadata: dict[str, str] = {}


def read_recording(path: str) -> list[RecordedRequest]:
    """The requests of a recording, ordered by offset; of a folder, those of all its .jsonl files together.

    The end of a file that is still being written, or whose writer was killed, may be torn: a last line
    without its line end that cannot be read is left out. Raises LoadTestError naming file, line and what is
    wrong.
    """
    files = sorted(Path(path).glob(f"*{SUFFIX}")) if Path(path).is_dir() else [Path(path)]
    requests: list[RecordedRequest] = []
    for file in files:
        try:
            with file.open("rb") as lines:
                requests += _read_lines(file, lines)
        except OSError as error:
            raise LoadTestError(f"--replay: {file} cannot be read: {error.strerror}") from error
    if not requests:
        raise LoadTestError(f"--replay: {path} holds no request")
    return sorted(requests, key=lambda request: request.offset_ms)


def _read_lines(path: Path, lines: Iterable[bytes]) -> Iterator[RecordedRequest]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(_ERASED):
            continue
        try:
            yield _read(path, number, line)
        except LoadTestError:
            if line.endswith(b"\n"):
                raise


def erase_requests(path: Path, is_wanted: Callable[[bytes], bool]) -> int:
    """Erases the lines of a recording that are wanted, and returns how many; on disk on return.

    They are overwritten in place, so that the file may be read and appended to meanwhile. Killed half way, it
    leaves each line whole or erased. A line that its writer has not ended yet is left. Raises OSError.
    """
    erased, changed, at = 0, False, 0
    with path.open("r+b", buffering=0) as file:
        with path.open("rb") as lines:
            for line in lines:
                end = len(line.rstrip(b"\r\n"))
                if line.startswith(_ERASED):
                    # Of one that was killed half way.
                    left = bool(line[1:end].strip(b" "))
                else:
                    left = line.endswith(b"\n") and is_wanted(line)
                    erased += left
                if left:
                    # The first byte alone says that a line is erased, and one byte is written whole or not
                    # at all.
                    os.pwrite(file.fileno(), _ERASED, at)
                    os.pwrite(file.fileno(), b" " * (end - 1), at + 1)
                    changed = True
                at += len(line)
        if changed:
            os.fsync(file.fileno())
    return erased


def _read(path: Path, number: int, line: bytes) -> RecordedRequest:
    try:
        request = msgspec.json.decode(line, type=RecordedRequest)
        if request.binary:
            base64.b64decode(request.binary, validate=True)
    except (msgspec.DecodeError, ValueError) as error:
        raise LoadTestError(f"--replay: {path}, line {number}: {error}") from error
    if (request.data is None) == (not request.binary):
        raise LoadTestError(f"--replay: {path}, line {number}: give either data or binary")
    if request.offset_ms < 0:
        raise LoadTestError(f"--replay: {path}, line {number}: offset_ms {request.offset_ms:g} is negative")
    return request


class RecordingWriter:
    """Appends requests to one new file of at most `max_bytes`.

    Strings of the fields named in `private` are replaced by `pseudonym` at any depth of a message
    (None keeps them), fields named in `left_out` are not written. The file is its owner's alone and is never
    one that was there before. Each line is handed to the system whole, so only a machine that goes down or a
    full disk tears the last one. Not safe for several threads.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        pseudonym: Callable[[str], str] | None,
        private: Collection[str] = ("user_id", "session_id"),
        left_out: Collection[str] = (),
    ) -> None:
        """Creates the file, which must not exist.

        Args:
            path: the file, readable by its owner only.
            max_bytes: most bytes of the file.
            pseudonym: replaces each text of a private field; None: private texts are kept.
            private: names of the private fields.
            left_out: names of fields that are not written.
        """
        self._left = max_bytes
        self._pseudonym = pseudonym
        self._private = frozenset(private)
        self._left_out = frozenset(left_out)
        self._file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)  # noqa: SIM115
        self.written = 0
        """Requests in the file."""

    def record(self, call: str, data: Mapping[str, Any], at_ms: float) -> bool:
        """Appends a request that arrived at `at_ms`; False, with nothing written, where it does not fit.

        Raises OSError where the line could not be written whole: the file must then be closed, since what
        follows a torn line cannot be read.
        """
        cleaned = dict(self._cleaned_fields(data))
        line = msgspec.json.encode(RecordedRequest(round(at_ms, 3), call, cleaned)) + b"\n"
        if len(line) > self._left:
            return False
        if self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._file.name)
        self._left -= len(line)
        self.written += 1
        return True

    def close(self) -> None:
        """Puts everything on disk; raises OSError where that fails, the file closed all the same."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def _cleaned_fields(self, message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in message.items():
            if name in self._left_out:
                continue
            if self._pseudonym is not None and name in self._private and isinstance(value, str):
                yield name, self._pseudonym(value)
            elif isinstance(value, Mapping):
                yield name, dict(self._cleaned_fields(value))
            elif isinstance(value, list):
                yield name, [self._cleaned(each) for each in value]
            else:
                yield name, value

    def _cleaned(self, value: Any) -> Any:
        return dict(self._cleaned_fields(value)) if isinstance(value, Mapping) else value
