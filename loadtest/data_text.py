"""The texts of call data and metadata: where they are read from, and the JSON in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from loadtest.errors import LoadTestError


def text_of(value: Any, path: str, name: str) -> str | None:
    """The text of the file at `path`, or of a JSON value; None where neither is given.

    Raises LoadTestError naming the option `name` where the file cannot be read.
    """
    if path:
        try:
            return Path(path).read_text()
        except OSError as error:
            raise LoadTestError(f"{name}: {path} cannot be read: {error.strerror}") from error
    return None if value is None else json.dumps(value, ensure_ascii=False)


def json_of(text: str, name: str) -> Any:
    """The JSON value of a text; raises LoadTestError naming the option `name`."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise LoadTestError(f"{name}: {text[:60]!r} is not JSON: {error}") from error


def string_map(text: str, name: str) -> dict[str, str]:
    """The JSON object of a text, all of whose values are texts; raises LoadTestError otherwise."""
    value = json_of(text, name)
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise LoadTestError(f"{name}: a JSON object whose values are texts is expected")
    return value


def messages_of(text: str) -> list[dict[str, Any]]:
    """The messages of call data: one object is one message; raises LoadTestError for anything but objects."""
    data = json_of(text, "--data")
    messages = data if isinstance(data, list) else [data]
    if not messages or not all(isinstance(message, dict) for message in messages):
        raise LoadTestError("--data: a JSON object or an array of objects is expected, the array not empty")
    return messages
