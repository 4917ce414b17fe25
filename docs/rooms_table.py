"""Writes the column of imports of the rooms table in docs/architecture.md, from the project's import graph.

    python -m docs.rooms_table [--check]

With `--check` nothing is written; the exit code is 1 where the file differs from what would be written.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import grimp

PROJECT = Path(__file__).resolve().parent.parent
ARCHITECTURE = PROJECT / "docs" / "architecture.md"
_ROW = re.compile(r"^\| `(?P<room>[a-z_]+)/` \| (?P<contents>.*) \| (?P<imports>[^|]*) \|$", re.MULTILINE)


class RoomsTableError(Exception):
    """The table in docs/architecture.md and the rooms in pyproject.toml do not agree."""


def rooms() -> list[str]:
    """Names of the rooms, the highest layer first, as the layers contract in pyproject.toml orders them.

    Folders that are not installed (tests, benchmarks, testing) are left out.
    """
    tool = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]
    (layers,) = (each["layers"] for each in tool["importlinter"]["contracts"] if each["id"] == "layers")
    installed = {pattern.rstrip("*") for pattern in tool["setuptools"]["packages"]["find"]["include"]}
    return [room for layer in layers for room in re.findall(r"\w+", layer) if room in installed]


def imports_between(names: Sequence[str]) -> dict[str, list[str]]:
    """The rooms that each room imports directly, in the order of `names`."""
    graph = grimp.build_graph(*names, cache_dir=None)
    found: dict[str, set[str]] = {name: set() for name in names}
    for module in graph.modules:
        importer = module.partition(".")[0]
        for imported in graph.find_modules_directly_imported_by(module):
            found[importer].add(imported.partition(".")[0])
    return {name: [other for other in names if other in found[name] - {name}] for name in names}


def with_imports(text: str, imports: Mapping[str, Sequence[str]]) -> str:
    """`text` with the last column of each room's row replaced by what the room imports.

    Raises:
        RoomsTableError: A room has no row, or a row has no room.
    """
    described = [row["room"] for row in _ROW.finditer(text)]
    if described != list(imports):
        raise RoomsTableError(
            f"the rows of the rooms table are {', '.join(described)}; pyproject.toml has the rooms "
            f"{', '.join(imports)} in this order; add, move or remove rows by hand, then run make docs"
        )
    return _ROW.sub(
        lambda row: f"| `{row['room']}/` | {row['contents']} | {', '.join(imports[row['room']]) or '–'} |",
        text,
    )


def main() -> None:
    """Writes the table, or checks it."""
    text = ARCHITECTURE.read_text()
    current = with_imports(text, imports_between(rooms()))
    if "--check" not in sys.argv[1:]:
        ARCHITECTURE.write_text(current)
    elif text != current:
        sys.exit(f"the imports in {ARCHITECTURE.relative_to(PROJECT)} are not current; run make docs")


if __name__ == "__main__":
    main()
