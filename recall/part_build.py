"""Builds one part of a snapshot (a channel, a learned table), and checks what its build returned."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

from recall.channel import BuildSource


class PartBuildError(ValueError):
    """A channel or learned table cannot be built; the message names it, why, and where in the code."""


def build_part(
    owner: str,
    build: Callable[[BuildSource, Path, Any], Mapping[str, int]],
    source: BuildSource,
    folder: Path,
    settings: Any,
) -> dict[str, int]:
    """Builds a part into its new `folder`; returns how many entries each of its files holds.

    Args:
        owner: the part as messages call it, with the module that registers it.
        build: as its registration declares it.
        source: what it is built from.
        folder: created; its parent may be absent.
        settings: the part's settings.

    Raises:
        PartBuildError: `build` raised ValueError, or returned something else than counts by name.
        Exception: anything else that `build` raises is its bug; `owner` is added as a note.
    """
    folder.mkdir(parents=True)
    try:
        rows = build(source, folder, settings)
    except ValueError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise PartBuildError(
            f"{owner} cannot be built: {error} ({frame.filename}, line {frame.lineno})"
        ) from error
    except Exception as error:
        error.add_note(f"This happened while {owner} was built.")
        raise
    if not isinstance(rows, Mapping) or not all(
        isinstance(name, str) and isinstance(count, Integral) for name, count in rows.items()
    ):
        raise PartBuildError(
            f"{owner} cannot be built: its build returned {str(rows)[:80]!r}; it must return how many "
            "entries each of its files holds, such as {'items': 500}"
        )
    return {name: int(count) for name, count in rows.items()}
