"""From texts and configuration values to LoadOptions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from loadtest.durations import parse_duration
from loadtest.errors import LoadTestError
from loadtest.options import OPTIONS, Kind, LoadOptions, Option

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", re.IGNORECASE)
_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_LARGEST = 2**31 - 1


def options_of(values: Mapping[str, Any]) -> LoadOptions:
    """Options from values under ghz's names (and `host`).

    The values are texts of the command line, or values read from JSON, TOML or YAML.

    Raises LoadTestError naming the option whose value cannot be read.
    """
    known = {option.name: option for option in OPTIONS}
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if name == "host":
            fields["host"] = str(value)
        else:
            option = known[name]
            fields[option.attribute] = _value(option, value)
    return LoadOptions(**fields)


def _value(option: Option, value: Any) -> Any:
    try:
        read = _READERS[option.kind](value)
    except (ValueError, TypeError) as error:
        raise LoadTestError(f"--{option.name}: {error}") from error
    if option.choices and read not in option.choices:
        raise LoadTestError(f"--{option.name}: {read!r} is none of {', '.join(option.choices)}")
    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value.strip()


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+", str(value)):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def _count(value: Any) -> int:
    count = _integer(value)
    if not 0 <= count <= _LARGEST:
        raise ValueError(f"{count} is not between 0 and {_LARGEST:,}")
    return count


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{value!r} is not a number") from error
    if number != number or abs(number) == float("inf"):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _duration(value: Any) -> int:
    return parse_duration(str(value))


def parse_size(value: Any) -> int:
    """Bytes of `4194304`, `42 MB` (millions) or `4MiB` (2**20s); raises ValueError otherwise."""
    size = _SIZE.fullmatch(str(value).strip())
    if size is None:
        raise ValueError(f"{value!r} is not a size; write for example 42MB or 4MiB")
    bytes_ = round(float(size[1]) * _SIZES[(size[2] or "").lower()])
    if not 0 < bytes_ <= _LARGEST:
        raise ValueError(f"{value!r} is not between 1 byte and 2 GiB")
    return bytes_


def _json(value: Any) -> Any:
    if not isinstance(value, str) or value == "@":
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"{value[:60]!r} is not JSON: {error}") from error


def _map(value: Any) -> dict[str, str]:
    parsed = _json(value)
    if not isinstance(parsed, dict) or not all(isinstance(each, str) for each in parsed.values()):
        raise ValueError(f"{value!r} is not a JSON object whose values are texts")
    return parsed


def _list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [each.strip() for each in value.split(",")]
    return tuple(_text(each) for each in value if each)


_READERS = {
    Kind.TEXT: _text,
    Kind.FLAG: _flag,
    Kind.COUNT: _count,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.DURATION: _duration,
    Kind.SIZE: parse_size,
    Kind.JSON: _json,
    Kind.MAP: _map,
    Kind.LIST: _list,
}
