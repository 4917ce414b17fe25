"""Writes the table of event kinds in docs/manual/data.md, from `snapshot/event_kinds.py`.

python -m docs.event_kinds_table
"""

from __future__ import annotations

import re
from pathlib import Path

from snapshot.event_kinds import EVENT_KINDS, EventKind

MANUAL = Path(__file__).resolve().parent / "manual" / "data.md"
HEAD = "| `event` | code | also read | counts as | where a shop has none |\n|---|---|---|---|---|\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")
_COUNTS_AS = {
    "impression": "what was shown",
    "consideration": "interest",
    "purchase": "interest, and a purchase",
    "correction": "no interest; kept apart from the events",
}


def with_event_kinds(text: str) -> str:
    """`text` with the table of event kinds as they are registered."""
    table = HEAD + "".join(_row(name, kind) for name, kind in EVENT_KINDS.items())
    return _TABLE.sub(lambda _: table, text)


def _row(name: str, kind: EventKind) -> str:
    synonyms = ", ".join(f"`{synonym}`" for synonym in kind.synonyms)
    return f"| `{name}` | {kind.code} | {synonyms} | {_COUNTS_AS[kind.role]} | {kind.absent} |\n"


def main() -> None:
    """Writes the manual."""
    MANUAL.write_text(with_event_kinds(MANUAL.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
