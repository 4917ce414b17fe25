"""Writes what docs/manual/data.md says of item columns, from `snapshot/item_columns.py`.

    python -m docs.item_columns_table

These are the table of the catalogue's columns, and the optional columns of the items file.
"""

from __future__ import annotations

import re
from pathlib import Path

from snapshot.item_columns import ITEM_COLUMNS, ItemColumn

MANUAL = Path(__file__).resolve().parent / "manual" / "data.md"
HEAD = "| column | kind | type | unit | where unknown | what it is |\n|---|---|---|---|---|---|\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)+")
_FILE = re.compile(r"^\| `items` \| `item_id` \| .* \|$", re.MULTILINE)
_WORDS = {"True": "yes", "False": "no", "nan": "NaN", "": "empty"}


def with_item_columns(text: str) -> str:
    """`text` with the table of columns and the row of the items file as they are registered."""
    table = HEAD + "".join(_row(name, column) for name, column in ITEM_COLUMNS.items())
    read = ", ".join(f"`{name}`" for name, column in ITEM_COLUMNS.items() if column.from_items)
    with_table = _TABLE.sub(lambda _: table, text)
    return _FILE.sub(lambda _: f"| `items` | `item_id` | {read} |", with_table)


def _row(name: str, column: ItemColumn) -> str:
    default = _WORDS.get(str(column.default), str(column.default))
    dtype = "text" if column.kind == "text" else column.dtype.name
    words = column.description if column.from_items else f"{column.description} Computed, not read."
    return f"| `{name}` | {column.kind} | {dtype} | {column.unit or '–'} | {default} | {words} |\n"


def main() -> None:
    """Writes the manual."""
    MANUAL.write_text(with_item_columns(MANUAL.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
