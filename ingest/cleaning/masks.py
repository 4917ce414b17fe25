"""Masks over event rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def all_but(height: int, rows: pl.Series) -> pl.Series:
    """bool[height], False at `rows` (integer[k]) and True elsewhere."""
    import polars as pl

    return pl.repeat(True, height, dtype=pl.Boolean, eager=True).scatter(rows, False)
