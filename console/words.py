"""Values as people read them; what is no number, or not known, is a dash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from datetime import datetime

DASH = "–"
LONGEST_TITLE = 160
HUES = 12
_STEPS = ((86_400 * 365, "y"), (86_400 * 30, "mo"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def number(value: float | None, digits: int = 2) -> str:
    """A number with thousands separated and at most `digits` decimals."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.{digits}f}"


def significant(value: float | None, digits: int = 4) -> str:
    """A number with `digits` significant digits."""
    return DASH if value is None or not math.isfinite(value) else f"{value:.{digits}g}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share 0…1 in percent."""
    return DASH if value is None or not math.isfinite(value) else f"{value * 100:.{digits}f} %"


def milliseconds(value: float | None) -> str:
    """Milliseconds, with a decimal below 10."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:.1f} ms" if abs(value) < 10 else f"{value:,.0f} ms"


def clipped(text: str, longest: int = LONGEST_TITLE) -> str:
    """`text` in one line, its end left out where it is longer."""
    plain = " ".join(text.split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def title_of(item_id: str, title: str) -> str:
    """What an item is called: its title, or its id where it has none."""
    return clipped(title) or clipped(item_id) or "unknown item"


def moment(at_ms: float) -> str:
    """Unix milliseconds as local date and time."""
    if not at_ms or not math.isfinite(at_ms):
        return DASH
    try:
        return datetime.fromtimestamp(at_ms / 1_000).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return DASH


def ago(at: float, now: float) -> str:
    """Unix second `at` as the time that has passed since."""
    passed = max(0.0, now - at)
    for seconds, unit in _STEPS:
        if passed >= seconds:
            return f"{int(passed // seconds)} {unit} ago"
    return "now"


def span(seconds: float) -> str:
    """A length of time."""
    for step, unit in _STEPS:
        if seconds >= step:
            return f"{seconds / step:.1f} {unit}" if step > 1 else f"{seconds:.0f} s"
    return "0 s"


def hue(text: str) -> int:
    """0…HUES − 1, always the same for the same text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=2).digest()[0] % HUES


def initials(text: str) -> str:
    """At most two letters that stand for a text."""
    words = [word for word in clipped(text).replace("/", " ").split() if word[:1].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "·"


def setting(text: str) -> str:
    """A JSON value as people write it; a text that is no JSON as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return text if isinstance(value, (dict, list)) else str(value)


def clipped_line(text: str, longest: int = 300) -> str:
    """`text` as it is, its end left out where it is longer."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def clipped_lines(text: str, most: int = 40) -> str:
    """The first lines of a text, each clipped."""
    lines = text.splitlines()
    shown = [clipped_line(line) for line in lines[:most]]
    return "\n".join([*shown, f"… and {len(lines) - most} more lines"] if len(lines) > most else shown)


def coded(path: Sequence[str]) -> str:
    """Names on the way to a key as one text, whatever is in them."""
    return json.dumps(list(path), ensure_ascii=False)
