"""The pictures that a shop brings with its items: files below its data folder, or bytes in a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from snapshot.dataset import IMAGE_COLUMN as COLUMN
from vision.settings import PictureLimits

SEPARATOR = "|"
"""Between several paths in one text."""


@dataclass(frozen=True)
class ItemPicture:
    """One picture of an item: its bytes, or why there are none.

    Attributes:
        item: 1…N.
        content: the file; empty where `missing` says why.
        missing: "", or a reason that a report counts.
    """

    item: int
    content: bytes
    missing: str = ""


def count_pictures(items: pl.DataFrame, per_item: int) -> int:
    """How many `item_pictures` will give."""
    return sum(len(_entries(value, per_item)) for (value,) in items.select(COLUMN).iter_rows())


def item_pictures(
    items: pl.DataFrame, data: Path | None, per_item: int, limits: PictureLimits
) -> Iterator[ItemPicture]:
    """Every picture of every item, in the order of the items.

    Args:
        items: item int32 (1…N), `image`: bytes, a path, several with | between them, or a list of either.
        data: the folder that paths start at; None where there is none.
        per_item: first pictures of an item that are used.
        limits: files that are larger are not read.

    Raises:
        ValueError: the column is of a type that is neither.
    """
    _check_type(items[COLUMN].dtype)
    for item, value in items.select("item", COLUMN).sort("item").iter_rows():
        for entry in _entries(value, per_item):
            if isinstance(entry, bytes):
                yield ItemPicture(item, entry)
            else:
                yield _read(item, entry, data, limits)


def _check_type(dtype: pl.DataType) -> None:
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype
    if inner not in (pl.String, pl.Binary, pl.Null):
        raise ValueError(
            f"the column {COLUMN} of the items is of type {dtype}; bring paths below the data folder as "
            "text, or the pictures themselves as bytes"
        )


def _entries(value: object, per_item: int) -> Sequence[str | bytes]:
    if value is None:
        return []
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(SEPARATOR)]
        return [part for part in parts if part][:per_item]
    listed: list[str | bytes] = [entry for entry in value if entry] if isinstance(value, list) else []
    return listed[:per_item]


def _read(item: int, text: str, data: Path | None, limits: PictureLimits) -> ItemPicture:
    if "://" in text:
        return ItemPicture(item, b"", "url: addresses are not fetched, bring the file")
    if data is None:
        return ItemPicture(item, b"", "no_file: there is no data folder")
    try:
        path = (data / text).resolve()
        if not path.is_relative_to(data.resolve()):
            return ItemPicture(item, b"", "outside: the path leaves the data folder")
        if not path.is_file():
            return ItemPicture(item, b"", "no_file: there is no such file")
        if path.stat().st_size > limits.bytes:
            return ItemPicture(item, b"", "too_many_bytes")
        return ItemPicture(item, path.read_bytes())
    except (OSError, ValueError):
        # ValueError: a path with a null character.
        return ItemPicture(item, b"", "unreadable: the file cannot be read")
