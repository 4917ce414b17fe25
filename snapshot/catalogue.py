"""The catalogue of a data set or snapshot: one memory-mapped column per registered item column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from registration.registry import BUILT_IN
from snapshot.columns import load_column
from snapshot.item_columns import ITEM_COLUMNS, ItemColumn
from snapshot.item_keys import item_keys
from snapshot.manifest import SnapshotError
from snapshot.string_column import StringColumn, load_strings

CATALOGUE_FOLDER = "catalogue"
SUMMARY_NAME = "catalogue.json"
BANDS = 10


class CatalogueSummary(msgspec.Struct, frozen=True):
    """The part of a catalogue that is not a column, kept as JSON."""

    size: int
    profile_vocab: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every item of one data set by dense index 1…N; index 0 is the unknown item.

    Columns are those of `snapshot.item_columns`, of length N + 1, as read-only views of files. The built-in
    ones that code reads have a property each; `column` gives every column by its name.

    Attributes:
        size: N.
        profile_vocab: profile field → values; a value's code is its position + 1, 0 = unknown.
        keys: uint64[N], sorted.
        key_items: int32[N], the dense index of each of `keys`.
        shown: names of the columns that answers show, in the order of registration.
    """

    size: int
    profile_vocab: dict[str, list[str]]
    keys: NDArray[np.uint64]
    key_items: NDArray[np.int32]
    shown: tuple[str, ...]
    _item_ids: StringColumn
    _registered: Mapping[str, ItemColumn]
    _columns: Mapping[str, NDArray[Any]]
    _texts: Mapping[str, StringColumn]
    _names: Mapping[str, StringColumn]

    @classmethod
    def open(cls, folder: Path) -> Catalogue:
        """Maps the catalogue in `folder`.

        Raises:
            SnapshotError: a file is missing or torn, the files do not fit each other, or the folder was built
                without an item column that is registered now.
        """
        try:
            summary = msgspec.json.decode((folder / SUMMARY_NAME).read_bytes(), type=CatalogueSummary)
        except (OSError, msgspec.DecodeError) as error:
            raise SnapshotError(
                folder, SUMMARY_NAME, f"cannot be read ({error})", "build the folder again"
            ) from error
        rows = summary.size + 1
        registered = dict(ITEM_COLUMNS)
        for name in registered:
            _require(folder, name)
        return cls(
            size=summary.size,
            profile_vocab=summary.profile_vocab,
            keys=load_column(folder, "keys", np.dtype(np.uint64), summary.size),
            key_items=load_column(folder, "key_items", np.dtype(np.int32), summary.size),
            shown=tuple(name for name, column in registered.items() if column.shown),
            _item_ids=_strings(folder, "item_id", rows),
            _registered=registered,
            _columns={
                name: _values(folder, name, column, rows)
                for name, column in registered.items()
                if column.kind != "text"
            },
            _texts={
                name: _texts(folder, name, column, rows)
                for name, column in registered.items()
                if column.kind == "text"
            },
            _names={
                name: NO_NAMES if _is_absent(folder, name, column) else load_strings(folder, f"{name}_name")
                for name, column in registered.items()
                if column.kind == "group"
            },
        )

    def column(self, name: str) -> NDArray[Any]:
        """A registered column that is no text, of its own dtype and length N + 1; row 0 is the unknown item.

        Raises KeyError where no such column is registered, or it is a text, which `texts` reads.
        """
        try:
            return self._columns[name]
        except KeyError:
            known = ", ".join(self._columns)
            raise KeyError(f"no item column {name} with a value per item; there are {known}") from None

    def texts(self, name: str, items: NDArray[np.integer[Any]]) -> list[str]:
        """A text column at dense indices (integer[n]); empty where unknown; IndexError outside 0…N."""
        return self._texts[name].take(items)

    def names(self, name: str, codes: NDArray[np.integer[Any]]) -> list[str]:
        """Names of the codes (integer[n]) of a group column; empty for 0; IndexError outside the codes."""
        return self._names[name].take(codes)

    def code_count(self, name: str) -> int:
        """Number of names of a group column; its codes are 0…count."""
        return len(self._names[name]) - 1

    def display(self, name: str, items: NDArray[np.integer[Any]]) -> list[str]:
        """A column at dense indices (integer[n]) as words; empty where the value is unknown.

        A group is its name, a flag "true" or "false", a time its unix seconds, a number the shortest decimal
        that its type distinguishes.
        """
        column = self._registered[name]
        if column.kind == "text":
            return self.texts(name, items)
        values = self._columns[name][items]
        if column.kind == "group":
            return self.names(name, values)
        if column.kind == "flag":
            return ["true" if value else "false" for value in values.tolist()]
        unknown = column.is_unknown(values).tolist()
        return ["" if absent else str(value) for value, absent in zip(values, unknown, strict=True)]

    @property
    def category(self) -> NDArray[np.int32]:
        """int32[N+1], codes of categories, 0 = unknown."""
        return self._columns["category"]

    @property
    def standard_category(self) -> NDArray[np.int32]:
        """int32[N+1], codes of standard categories, 0 = unknown."""
        return self._columns["standard_category"]

    @property
    def brand(self) -> NDArray[np.int32]:
        """int32[N+1], codes of brands, 0 = unknown."""
        return self._columns["brand"]

    @property
    def list_price(self) -> NDArray[np.float32]:
        """float32[N+1], price before a reduction, NaN where unknown."""
        return self._columns["list_price"]

    @property
    def region(self) -> NDArray[np.int32]:
        """int32[N+1], codes of the places in which alone items are sold, 0 = everywhere."""
        return self._columns["region"]

    @property
    def picture_group(self) -> NDArray[np.int32]:
        """int32[N+1], groups of items whose first pictures are nearly identical, 0 = in none."""
        return self._columns["picture_group"]

    @property
    def shop(self) -> NDArray[np.int32]:
        """int32[N+1], codes of sellers, 0 = unknown."""
        return self._columns["shop"]

    @property
    def venue(self) -> NDArray[np.int32]:
        """int32[N+1], codes of venues (halls, channels, live rooms), 0 = none."""
        return self._columns["venue"]

    @property
    def price(self) -> NDArray[np.float32]:
        """float32[N+1] in the shop's currency, NaN = unknown."""
        return self._columns["price"]

    @property
    def price_band(self) -> NDArray[np.int32]:
        """int32[N+1], 1 (cheapest) … 10 by decile of the known prices, 0 = unknown."""
        return self._columns["price_band"]

    @property
    def popularity(self) -> NDArray[np.float32]:
        """float32[N+1], log1p of the number of users who took the item before `cuts.valid_from`."""
        return self._columns["popularity"]

    @property
    def popularity_band(self) -> NDArray[np.int32]:
        """int32[N+1], 1 … 10 by decile among the items taken by anyone, 0 = by none."""
        return self._columns["popularity_band"]

    @property
    def in_stock(self) -> NDArray[np.bool_]:
        """bool[N+1], False for the unknown item."""
        return self._columns["in_stock"]

    @property
    def adult(self) -> NDArray[np.bool_]:
        """bool[N+1]."""
        return self._columns["adult"]

    @property
    def created_at(self) -> NDArray[np.int64]:
        """int64[N+1], unix seconds, 0 = unknown."""
        return self._columns["created_at"]

    @property
    def starts_at(self) -> NDArray[np.int64]:
        """int64[N+1], unix seconds from which the item can be had, 0 = always."""
        return self._columns["starts_at"]

    @property
    def expires_at(self) -> NDArray[np.int64]:
        """int64[N+1], unix seconds at which the item ends, 0 = never."""
        return self._columns["expires_at"]

    @property
    def category_count(self) -> int:
        """Number of categories; codes are 0…count."""
        return self.code_count("category")

    def titles(self, items: NDArray[np.integer[Any]]) -> list[str]:
        """Titles of dense indices (integer[n]); empty where unknown; IndexError outside 0…N."""
        return self.texts("title", items)

    def category_names(self, codes: NDArray[np.integer[Any]]) -> list[str]:
        """Names of category codes (integer[n]); empty for 0; IndexError outside 0…category_count."""
        return self.names("category", codes)

    def dense_from_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Dense indices of item keys (uint64[n]) as int32[n]; 0 where the catalogue lacks the item."""
        keys = np.asarray(keys, dtype=np.uint64)
        if not self.size or not keys.size:
            return np.zeros(len(keys), dtype=np.int32)
        positions = np.minimum(np.searchsorted(self.keys, keys), self.size - 1)
        return np.where(self.keys[positions] == keys, self.key_items[positions], np.int32(0))

    def dense(self, ids: Sequence[str]) -> NDArray[np.int32]:
        """Dense indices of external item ids as int32[n]; 0 where the catalogue lacks the item."""
        return self.dense_from_keys(item_keys(ids))

    def item_ids(self, items: NDArray[np.integer[Any]]) -> list[str]:
        """External ids of dense indices (integer[n]); empty for 0; IndexError outside 0…N."""
        return self._item_ids.take(items)

    def item_keys(self, items: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
        """Item keys of dense indices (integer[n], each 1…N) as uint64[n]; IndexError outside 0…N."""
        return item_keys(self._item_ids.take(items))


NO_NAMES = StringColumn(np.zeros(2, np.int64), np.empty(0, np.uint8))
"""The names of a group column that is absent: that of the code 0 alone."""


def _file_of(name: str, column: ItemColumn) -> str:
    return f"{name}.offsets.npy" if column.kind == "text" else f"{name}.npy"


def _is_absent(folder: Path, name: str, column: ItemColumn) -> bool:
    return column.later and not (folder / _file_of(name, column)).exists()


def _values(folder: Path, name: str, column: ItemColumn, rows: int) -> NDArray[Any]:
    if not _is_absent(folder, name, column):
        return load_column(folder, name, column.dtype, rows)
    values = np.full(rows, column.default, column.dtype)
    values.flags.writeable = False
    return values


def _require(folder: Path, name: str) -> None:
    """Raises SnapshotError where the folder has no file of a column that a plug-in registers."""
    source = ITEM_COLUMNS.source(name)
    file = _file_of(name, ITEM_COLUMNS[name])
    if source != BUILT_IN and not (folder / file).exists():
        raise SnapshotError(
            folder,
            file,
            f"is missing: the folder was built without the item column {name} that {source} registers",
            f"build the folder again, or take {source} out of the setting plugins",
        )


def _texts(folder: Path, name: str, column: ItemColumn, rows: int) -> StringColumn:
    if not _is_absent(folder, name, column):
        return _strings(folder, name, rows)
    # All offsets are one number in memory.
    return StringColumn(np.broadcast_to(np.int64(0), rows + 1), np.empty(0, np.uint8))


def _strings(folder: Path, name: str, rows: int) -> StringColumn:
    strings = load_strings(folder, name)
    if len(strings) != rows:
        raise SnapshotError(
            folder,
            f"{name}.offsets.npy",
            f"holds {len(strings)} strings instead of {rows}",
            "build the folder again",
        )
    return strings
