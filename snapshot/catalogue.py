"""The catalogue of a data set or snapshot: one memory-mapped column per item attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from snapshot.columns import load_column
from snapshot.item_keys import item_keys
from snapshot.manifest import SnapshotError
from snapshot.string_column import StringColumn, load_strings

CATALOGUE_FOLDER = "catalogue"
SUMMARY_NAME = "catalogue.json"
BANDS = 10

COLUMN_TYPES: dict[str, np.dtype] = {
    "category": np.dtype(np.int32),
    "standard_category": np.dtype(np.int32),
    "brand": np.dtype(np.int32),
    "shop": np.dtype(np.int32),
    "price": np.dtype(np.float32),
    "price_band": np.dtype(np.int32),
    "popularity": np.dtype(np.float32),
    "popularity_band": np.dtype(np.int32),
    "in_stock": np.dtype(np.bool_),
    "adult": np.dtype(np.bool_),
    "created_at": np.dtype(np.int64),
}
"""Columns of length N + 1 by name; row 0 stands for the unknown item."""

NAME_COLUMNS = ("category", "standard_category", "brand", "shop")
"""Coded columns that have a list of names; code 0 is unknown and has an empty name."""


class CatalogueSummary(msgspec.Struct, frozen=True):
    """The part of a catalogue that is not a column, kept as JSON."""

    size: int
    profile_vocab: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every item of one data set by dense index 1…N; index 0 is the unknown item.

    Arrays have length N + 1 and are read-only views of files.

    Attributes:
        size: N.
        category, standard_category, brand, shop: int32 codes, 0 = unknown.
        price: float32 in the shop's currency, NaN = unknown.
        price_band: int32, 1 (cheapest) … 10 by decile of the known prices, 0 = unknown.
        popularity: float32, log1p of the number of users who took the item before `cuts.valid_from`.
        popularity_band: int32, 1 … 10 by decile among the items taken by anyone, 0 = by none.
        in_stock, adult: bool.
        created_at: int64 unix seconds, 0 = unknown.
        profile_vocab: profile field → values; a value's code is its position + 1, 0 = unknown.
    """

    size: int
    category: np.ndarray
    standard_category: np.ndarray
    brand: np.ndarray
    shop: np.ndarray
    price: np.ndarray
    price_band: np.ndarray
    popularity: np.ndarray
    popularity_band: np.ndarray
    in_stock: np.ndarray
    adult: np.ndarray
    created_at: np.ndarray
    profile_vocab: dict[str, list[str]]
    keys: np.ndarray
    """uint64[N], sorted."""
    key_items: np.ndarray
    """int32[N]: the dense index of each of `keys`."""
    _item_ids: StringColumn
    _titles: StringColumn
    _names: dict[str, StringColumn]

    @classmethod
    def open(cls, folder: Path) -> Catalogue:
        """Map the catalogue in `folder`.

        Raises:
            SnapshotError: a file is missing or torn, or the files do not fit each other.
        """
        try:
            summary = msgspec.json.decode((folder / SUMMARY_NAME).read_bytes(), type=CatalogueSummary)
        except (OSError, msgspec.DecodeError) as error:
            raise SnapshotError(
                folder, SUMMARY_NAME, f"cannot be read ({error})", "build the folder again"
            ) from error
        rows = summary.size + 1
        catalogue = cls(
            size=summary.size,
            profile_vocab=summary.profile_vocab,
            keys=load_column(folder, "keys", np.dtype(np.uint64), summary.size),
            key_items=load_column(folder, "key_items", np.dtype(np.int32), summary.size),
            _item_ids=load_strings(folder, "item_id"),
            _titles=load_strings(folder, "title"),
            _names={name: load_strings(folder, f"{name}_name") for name in NAME_COLUMNS},
            **{name: load_column(folder, name, dtype, rows) for name, dtype in COLUMN_TYPES.items()},
        )
        for name, strings in (("item_id", catalogue._item_ids), ("title", catalogue._titles)):
            if len(strings) != rows:
                raise SnapshotError(
                    folder,
                    f"{name}.offsets.npy",
                    f"holds {len(strings)} strings instead of {rows}",
                    "build the folder again",
                )
        return catalogue

    @property
    def category_count(self) -> int:
        """Number of categories; codes are 0…count."""
        return len(self._names["category"]) - 1

    @property
    def standard_category_count(self) -> int:
        """Number of standard categories; codes are 0…count."""
        return len(self._names["standard_category"]) - 1

    @property
    def brand_count(self) -> int:
        """Number of brands; codes are 0…count."""
        return len(self._names["brand"]) - 1

    @property
    def shop_count(self) -> int:
        """Number of shops; codes are 0…count."""
        return len(self._names["shop"]) - 1

    def dense_from_keys(self, keys: np.ndarray) -> np.ndarray:
        """Dense indices of item keys (uint64[n]) as int32[n]; 0 where the catalogue lacks the item."""
        keys = np.asarray(keys, dtype=np.uint64)
        if not self.size:
            return np.zeros(len(keys), dtype=np.int32)
        positions = np.minimum(np.searchsorted(self.keys, keys), self.size - 1)
        return np.where(self.keys[positions] == keys, self.key_items[positions], np.int32(0))

    def dense(self, ids: Sequence[str]) -> np.ndarray:
        """Dense indices of external item ids as int32[n]; 0 where the catalogue lacks the item."""
        return self.dense_from_keys(item_keys(ids))

    def item_ids(self, items: np.ndarray) -> list[str]:
        """External ids of dense indices (integer[n]); empty for 0; IndexError outside 0…N."""
        return self._item_ids.take(items)

    def item_keys(self, items: np.ndarray) -> np.ndarray:
        """Item keys of dense indices (integer[n], each 1…N) as uint64[n]; IndexError outside 0…N."""
        return item_keys(self._item_ids.take(items))

    def titles(self, items: np.ndarray) -> list[str]:
        """Titles of dense indices (integer[n]); empty where unknown; IndexError outside 0…N."""
        return self._titles.take(items)

    def category_names(self, codes: np.ndarray) -> list[str]:
        """Names of category codes (integer[n]); empty for 0; IndexError outside 0…category_count."""
        return self._names["category"].take(codes)

    def standard_category_names(self, codes: np.ndarray) -> list[str]:
        """Names of standard category codes (integer[n]); empty for 0; IndexError outside the codes."""
        return self._names["standard_category"].take(codes)

    def brand_names(self, codes: np.ndarray) -> list[str]:
        """Names of brand codes (integer[n]); empty for 0; IndexError outside 0…brand_count."""
        return self._names["brand"].take(codes)

    def shop_names(self, codes: np.ndarray) -> list[str]:
        """Names of shop codes (integer[n]); empty for 0; IndexError outside 0…shop_count."""
        return self._names["shop"].take(codes)
