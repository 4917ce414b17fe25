"""Exchanges values of a recording, pseudonyms for example, for values that the server under test knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtest.errors import LoadTestError


class ReplacedValues:
    """Replaces the texts of the named fields, at any depth of a message, by lines of a file.

    Equal values become the same line, different ones different lines while there are any; then the file
    begins anew. Lines are given out in the order in which values are first seen, so that every process that
    reads the same recording replaces alike.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        """`files`: field name → file with a value a line. Raises LoadTestError for one without any."""
        self._lines = {name: _lines(name, path) for name, path in files.items()}
        self._given: dict[str, dict[str, str]] = {name: {} for name in files}

    def __call__(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message with its values replaced."""
        return {name: self._replaced(name, value) for name, value in message.items()}

    def _replaced(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and name in self._lines:
            given, lines = self._given[name], self._lines[name]
            return given.setdefault(value, lines[len(given) % len(lines)])
        if isinstance(value, Mapping):
            return self(value)
        if isinstance(value, list):
            return [self._replaced(name, each) for each in value]
        return value


def _lines(name: str, path: str) -> list[str]:
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise LoadTestError(f"--replay-replace: {path}, for {name}, cannot be read: {error}") from error
    values = [line for line in lines if line]
    if not values:
        raise LoadTestError(f"--replay-replace: {path}, for {name}, holds no value")
    return values
