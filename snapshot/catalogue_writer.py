"""Writes a catalogue folder, and links one from a data set into a serving snapshot."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from snapshot.catalogue import (
    CATALOGUE_FOLDER,
    COLUMN_TYPES,
    NAME_COLUMNS,
    SUMMARY_NAME,
    CatalogueSummary,
)
from snapshot.columns import save_column
from snapshot.durable_files import write_durably
from snapshot.item_keys import item_keys
from snapshot.string_column import save_strings


class ItemIdClash(ValueError):
    """Two item ids are equal or share one key and could not be distinguished later."""


def write_catalogue(
    folder: Path,
    item_ids: Sequence[str],
    titles: Sequence[str],
    columns: Mapping[str, np.ndarray],
    names: Mapping[str, Sequence[str]],
    profile_vocab: Mapping[str, Sequence[str]],
) -> None:
    """Write a catalogue of N items into `folder`, which is created.

    Args:
        folder: where to write; must not exist.
        item_ids: external ids of the items 1…N.
        titles: titles of the items 1…N, empty where unknown.
        columns: every column of `COLUMN_TYPES`, of its dtype and length N + 1, row 0 the unknown item.
        names: for each of `NAME_COLUMNS` the names of the codes 1…count.
        profile_vocab: profile field → values in code order.

    Raises:
        ItemIdClash: two ids are equal or hash to the same key; both are named.
        ValueError: a column is missing, of another dtype or length, or holds a code without a name.
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
    if len(titles) != size:
        raise ValueError(f"{len(titles)} titles for {size} items")
    folder.mkdir()
    for name, dtype in COLUMN_TYPES.items():
        column = columns[name]
        if column.dtype != dtype or column.shape != (size + 1,):
            raise ValueError(
                f"column {name!r} is {column.dtype}{list(column.shape)}, expected {dtype}[{size + 1}]"
            )
        if name in NAME_COLUMNS and (column.min() < 0 or column.max() > len(names[name])):
            raise ValueError(f"column {name!r} holds a code outside 0…{len(names[name])}")
        save_column(folder, name, column)
    save_column(folder, "keys", sorted_keys)
    save_column(folder, "key_items", (order + 1).astype(np.int32))
    save_strings(folder, "item_id", ["", *item_ids])
    save_strings(folder, "title", ["", *titles])
    for name in NAME_COLUMNS:
        save_strings(folder, f"{name}_name", ["", *names[name]])
    summary = CatalogueSummary(
        size=size, profile_vocab={field: list(values) for field, values in profile_vocab.items()}
    )
    write_durably(folder / SUMMARY_NAME, msgspec.json.encode(summary))


def link_catalogue(source: Path, staged: Path) -> None:
    """Give a staged folder the catalogue of a sealed one, by hard links where the disk allows, else by copy.

    Args:
        source: a sealed folder (`Dataset.path` or `Snapshot.path`).
        staged: a folder from `stage()`; gains `catalogue/`.

    Raises:
        FileExistsError: `staged` already holds a catalogue.
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
