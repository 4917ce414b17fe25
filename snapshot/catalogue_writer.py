"""Writes a catalogue folder, and links one from a data set into a serving snapshot."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from snapshot.catalogue import CATALOGUE_FOLDER, SUMMARY_NAME, CatalogueSummary
from snapshot.columns import save_column
from snapshot.durable_files import write_durably
from snapshot.item_columns import ITEM_COLUMNS, ItemColumn
from snapshot.item_keys import item_keys
from snapshot.string_column import save_strings


class ItemIdClash(ValueError):
    """Two item ids are equal or share one key and could not be distinguished later."""


def write_catalogue(
    folder: Path,
    item_ids: Sequence[str],
    columns: Mapping[str, NDArray[Any] | Sequence[str]],
    names: Mapping[str, Sequence[str]],
    profile_vocab: Mapping[str, Sequence[str]],
) -> None:
    """Writes a catalogue of N items into `folder`, which is created.

    Args:
        folder: where to write; must not exist.
        item_ids: external ids of the items 1…N.
        columns: every registered item column, of length N + 1, row 0 the unknown item: an array of the
            column's dtype, or strings for a text, empty where unknown.
        names: for each group column the names of the codes 1…count.
        profile_vocab: profile field → values in code order.

    Raises:
        ItemIdClash: two ids are equal or hash to the same key; both are named.
        ValueError: a column is missing, of another dtype or length, or contains a code without a name.
    """
    size = len(item_ids)
    keys = item_keys(item_ids)
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    clashes = np.flatnonzero(sorted_keys[1:] == sorted_keys[:-1])
    if len(clashes):
        first, second = item_ids[order[clashes[0]]], item_ids[order[clashes[0] + 1]]
        raise ItemIdClash(
            f"item ids {first!r} and {second!r} share the key {sorted_keys[clashes[0]]:#018x}; "
            "rename one of them in the shop's data"
        )
    written = {name: column for name, column in ITEM_COLUMNS.items() if name in columns or not column.later}
    for name, column in written.items():
        if name not in columns:
            raise ValueError(f"the item column {name!r} is missing")
        _check(name, column, columns[name], size + 1, len(names.get(name, ())))
    folder.mkdir()
    save_column(folder, "keys", sorted_keys)
    save_column(folder, "key_items", (order + 1).astype(np.int32))
    save_strings(folder, "item_id", ["", *item_ids])
    for name, column in written.items():
        _save(folder, name, column, columns[name], names.get(name, ()))
    summary = CatalogueSummary(
        size=size, profile_vocab={field: list(values) for field, values in profile_vocab.items()}
    )
    write_durably(folder / SUMMARY_NAME, msgspec.json.encode(summary))


def _save(
    folder: Path,
    name: str,
    column: ItemColumn,
    values: NDArray[Any] | Sequence[str],
    names: Sequence[str],
) -> None:
    if column.kind == "text":
        save_strings(folder, name, cast("Sequence[str]", values))
    else:
        save_column(folder, name, np.asarray(values))
    if column.kind == "group":
        save_strings(folder, f"{name}_name", ["", *names])


def add_column(staged: Path, name: str, values: NDArray[Any], names: Sequence[str] = ()) -> None:
    """Gives the catalogue of a staged folder a column that is known only after ingest.

    Args:
        staged: a folder with a catalogue that lacks the column.
        name: a registered column with `later`.
        values: of length N + 1, of the column's dtype.
        names: for a group the names of the codes 1…count.

    Raises:
        ValueError: the column is of another dtype or length, or contains a code without a name.
    """
    folder, column = staged / CATALOGUE_FOLDER, ITEM_COLUMNS[name]
    summary = msgspec.json.decode((folder / SUMMARY_NAME).read_bytes(), type=CatalogueSummary)
    _check(name, column, values, summary.size + 1, len(names))
    _save(folder, name, column, values, names)


def _check(
    name: str, column: ItemColumn, values: NDArray[Any] | Sequence[str], rows: int, name_count: int
) -> None:
    """Raises ValueError unless `values` are `rows` values of the column, its codes within `name_count`."""
    if column.kind == "text":
        if len(values) != rows:
            raise ValueError(f"column {name!r} has {len(values)} texts, expected {rows}")
        return
    array = np.asarray(values)
    if array.dtype != column.dtype or array.shape != (rows,):
        raise ValueError(
            f"column {name!r} is {array.dtype}{list(array.shape)}, expected {column.dtype}[{rows}]"
        )
    if column.kind == "group" and (array.min() < 0 or array.max() > name_count):
        raise ValueError(f"column {name!r} contains a code outside 0…{name_count}")


def link_catalogue(source: Path, staged: Path) -> None:
    """Gives a staged folder the catalogue of a sealed one, by hard links where the disk allows, else by copy.

    Args:
        source: a sealed folder (`Dataset.path` or `Snapshot.path`).
        staged: a folder from `stage()`; gains `catalogue/`.

    Raises:
        FileExistsError: `staged` already contains a catalogue.
    """
    shutil.copytree(
        source / CATALOGUE_FOLDER, staged / CATALOGUE_FOLDER, copy_function=_link_or_copy, symlinks=False
    )


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target)
