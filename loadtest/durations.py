"""Durations and floats as Go writes and reads them, as ghz's flags, configuration files and reports do."""

from __future__ import annotations

import re
from decimal import Decimal

SECOND = 1_000_000_000
MILLISECOND = 1_000_000

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3_600 * SECOND,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration such as `1m30s`, `100ms` or `0` (Go's time.ParseDuration, not negative).

    Raises ValueError naming what is missing; a number without a unit is refused, as in Go.
    """
    text = text.strip()
    if text == "0":
        return 0
    at, total = 0, 0.0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ValueError(
                f"{text!r} is not a duration; write it with a unit, for example 10s, 1m30s or 250ms"
            )
        total += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not text:
        raise ValueError("an empty text is not a duration; write for example 10s")
    return round(total)


def go_duration(nanoseconds: int) -> str:
    """The text of Go's `time.Duration.String`, for example `1m30s`, `1.5ms`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < SECOND:
        for unit, size in (("ms", MILLISECOND), ("µs", 1_000), ("ns", 1)):
            if nanoseconds >= size:
                return _trimmed(nanoseconds, size) + unit
    minutes, rest = divmod(nanoseconds, 60 * SECOND)
    text = _trimmed(rest, SECOND) + "s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = (f"{hours}h" if hours else "") + f"{minutes}m" + text
    return text


def _trimmed(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    if not rest:
        return str(whole)
    digits = len(str(size)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0")


def go_float(value: float) -> str:
    """Go's shortest `g` format, as Prometheus clients print it: 2e+09, 2000, 0.95."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, power = Decimal(repr(value)).as_tuple()
    assert isinstance(power, int)
    text = "".join(map(str, digits)).rstrip("0") or "0"
    exponent = len(digits) + power - 1 if value else 0
    minus = "-" if sign else ""
    if -4 <= exponent < 6:
        plain = repr(abs(value)) if "e" not in repr(value) else f"{Decimal(repr(abs(value))):f}"
        return minus + plain.removesuffix(".0")
    mantissa = text[0] + (f".{text[1:]}" if text[1:] else "")
    return f"{minus}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def format_nanoseconds(value: int) -> str:
    """Formats as ghz's `formatNanoUnit`: `950 ns`, `28.48 ms`, `1.07 s`."""
    if value < 10_000:
        return f"{value} ns"
    milliseconds = value / 1e6
    if milliseconds < 1_000:
        return f"{milliseconds:4.2f} ms"
    return f"{milliseconds / 1e3:4.2f} s"
