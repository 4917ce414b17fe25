"""Standard categories: leaf categories put together into what shoppers perceive, at two levels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.channel import BuildSource
from recall.standard_category_settings import StandardCategorySettings
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError
from snapshot.string_column import StringColumn, load_strings, save_strings

FINE, COARSE = "fine", "coarse"
LEVELS = (FINE, COARSE)
NAME = "standard_categories"


@dataclass(frozen=True, slots=True)
class StandardCategories:
    """The two levels by dense item index; a coarse category is a union of fine ones.

    fine, coarse  int32[N + 1], codes 1…count, 0 = unknown
    names         of the codes of each level, the empty name first
    """

    fine: NDArray[np.int32]
    coarse: NDArray[np.int32]
    fine_names: StringColumn
    coarse_names: StringColumn

    def level(self, name: str) -> NDArray[np.int32]:
        """int32[N + 1] of the level `fine` or `coarse`; KeyError for another name."""
        return {FINE: self.fine, COARSE: self.coarse}[name]

    def parents(self) -> NDArray[np.int32]:
        """int32[fine codes + 1], the coarse category of each fine one; 0 for 0."""
        above = np.zeros(len(self.fine_names), np.int32)
        above[self.fine] = self.coarse
        above[0] = 0
        return above


def build(source: BuildSource, folder: Path, settings: StandardCategorySettings) -> dict[str, int]:
    """Write the two levels into `folder`; returns how many categories each has."""
    from recall.standard_categories_build import two_levels

    rows = {}
    for level, (codes, names) in zip(LEVELS, two_levels(source, settings), strict=True):
        save_column(folder, level, codes)
        save_strings(folder, f"{level}_name", ["", *names])
        rows[level] = len(names)
    return rows


def open_table(
    folder: Path, catalogue: Catalogue, settings: StandardCategorySettings | None = None
) -> StandardCategories:
    """Map the table. Raises SnapshotError where a file is torn or does not fit the catalogue."""
    rows = catalogue.size + 1
    columns = [load_column(folder, level, np.dtype(np.int32), rows) for level in LEVELS]
    names = [load_strings(folder, f"{level}_name") for level in LEVELS]
    for level, column, named in zip(LEVELS, columns, names, strict=True):
        if column.min() < 0 or column.max() >= len(named):
            raise SnapshotError(folder, level, "has codes without a name", "build the snapshot again")
    return StandardCategories(columns[0], columns[1], names[0], names[1])
