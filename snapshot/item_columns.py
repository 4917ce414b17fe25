"""Every column that the catalogue has of an item: one list from which all else is derived.

From this list follow what ingest reads of a shop's items file, the files of a catalogue, the columns by
which `scatter` can group, the attributes in an answer and the table in `docs/manual/data.md`. A shop's own
column is one more entry, in a module that the setting `plugins` names:

    ITEM_COLUMNS = {
        "material": ItemColumn.group("What the item is made of."),
        "weight": ItemColumn.value("Weight with packaging.", unit="kg", shown=True),
    }
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from registration.registry import Registry

Kind = Literal["group", "band", "value", "flag", "time", "text"]

VALUE_DTYPES = tuple(map(np.dtype, (np.float32, np.float64, np.int32, np.int64)))
_RESERVED = ("item", "item_id", "keys", "key_items")
_NAMES_SUFFIX = "_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemColumn:
    """One column of the catalogue: a value per item. Made by the methods named like the kinds.

    Attributes:
        kind: "group": codes of names, 0 = unknown; "band": 1 (lowest) … 10 by decile of another column, 0 =
            unknown; "value": a number; "flag": yes or no; "time": unix seconds, 0 = unknown; "text": words.
        description: what it is, for the manual.
        dtype: type in the catalogue; `str` for a text.
        default: value of an item of which nothing is known.
        unit: unit of a value.
        minimum: a value of the items file below it counts as unknown.
        shown: whether answers contain it among an item's `attributes`.
        from_items: whether ingest reads it from the items file; otherwise it is computed.
        bands_of: the column that a band divides.
        later: whether a catalogue may lack it, so that every item has the default: a build adds it after
            ingest, or few shops' files have it.
    """

    kind: Kind
    description: str
    dtype: np.dtype[Any]
    default: bool | int | float | str
    unit: str = ""
    minimum: float | None = None
    shown: bool = False
    from_items: bool = True
    bands_of: str = ""
    later: bool = False

    @property
    def is_grouping(self) -> bool:
        """Whether items with the same value form a group: int32, 0 = in no group."""
        return self.kind in ("group", "band")

    def is_unknown(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """bool[n], which of `values` (any type of number) are the default."""
        if isinstance(self.default, float) and np.isnan(self.default):
            return np.asarray(np.isnan(values))
        return np.asarray(values == self.default)

    @staticmethod
    def group(description: str, *, shown: bool = False) -> ItemColumn:
        """A column of names that many items share, kept as int32 codes 1…count in the order of the names."""
        return ItemColumn(
            kind="group", description=description, dtype=np.dtype(np.int32), default=0, shown=shown
        )

    @staticmethod
    def band(of: str, description: str, *, shown: bool = False) -> ItemColumn:
        """A column of bands, int32 1 (lowest) … 10, by decile of the known values of the column `of`."""
        return ItemColumn(
            kind="band",
            description=description,
            dtype=np.dtype(np.int32),
            default=0,
            shown=shown,
            from_items=False,
            bands_of=of,
        )

    @staticmethod
    def value(
        description: str,
        *,
        unit: str = "",
        dtype: type[np.generic] = np.float32,
        default: float = float("nan"),
        minimum: float | None = None,
        shown: bool = False,
    ) -> ItemColumn:
        """A column of numbers: `dtype` float32, float64, int32 or int64; integers need a `default`."""
        return ItemColumn(
            kind="value",
            description=description,
            dtype=np.dtype(dtype),
            default=default,
            unit=unit,
            minimum=minimum,
            shown=shown,
        )

    @staticmethod
    def flag(description: str, *, default: bool, shown: bool = False) -> ItemColumn:
        """A column of yes and no; `default` where the shop gives neither."""
        return ItemColumn(
            kind="flag", description=description, dtype=np.dtype(np.bool_), default=default, shown=shown
        )

    @staticmethod
    def time(description: str, *, shown: bool = False) -> ItemColumn:
        """A column of points in time, int64 unix seconds."""
        return ItemColumn(
            kind="time",
            description=description,
            dtype=np.dtype(np.int64),
            default=0,
            unit="unix seconds",
            shown=shown,
        )

    @staticmethod
    def text(description: str, *, shown: bool = False) -> ItemColumn:
        """A column of words of each item's own, empty where unknown."""
        return ItemColumn(kind="text", description=description, dtype=np.dtype(str), default="", shown=shown)


def _fault(name: str, column: ItemColumn, columns: Mapping[str, ItemColumn]) -> str | None:
    """Why a column cannot be registered beside `columns`, None where it can."""
    if name in _RESERVED or name.endswith(_NAMES_SUFFIX):
        return "has a name that the catalogue uses for its own files; choose another"
    if column.bands_of and (column.bands_of not in columns or columns[column.bands_of].kind != "value"):
        return (
            f"divides the column {column.bands_of}, which is no value registered before it; name one that is"
        )
    if column.kind == "value":
        if column.dtype not in VALUE_DTYPES:
            return f"is a value of type {column.dtype}; use one of {', '.join(map(str, VALUE_DTYPES))}"
        if column.dtype.kind == "i" and not float(column.default).is_integer():
            return f"is a value of type {column.dtype} with the default {column.default}; give an integer"
    return None


ITEM_COLUMNS: Registry[ItemColumn] = Registry(
    "item column",
    "ITEM_COLUMNS",
    {
        "category": ItemColumn.group("Category, as fine as the shop has it."),
        "standard_category": ItemColumn.group("Coarse category, the same in all of the shop."),
        "brand": ItemColumn.group("Brand."),
        "shop": ItemColumn.group("Seller, where several sell in one place."),
        "venue": ItemColumn.group("Hall, channel, live room or other group that shows the item."),
        "price": ItemColumn.value(
            "Price of one piece; where missing, that at which the events say it was sold.",
            unit="the shop's currency",
            minimum=0,
        ),
        "list_price": replace(
            ItemColumn.value(
                "Price before a reduction; an item below it is on promotion.",
                unit="the shop's currency",
                minimum=0,
            ),
            later=True,
        ),
        "region": replace(
            ItemColumn.group("Where alone it is sold or delivered (city, country); empty = everywhere."),
            later=True,
        ),
        "title": ItemColumn.text("Title for people."),
        "tags": replace(
            ItemColumn.text("Words and phrases that it is labelled with, several with `|` between them."),
            later=True,
        ),
        "in_stock": ItemColumn.flag("Whether it can be sold now.", default=True),
        "adult": ItemColumn.flag("Whether it is for adults only.", default=False),
        "created_at": ItemColumn.time("When the shop began to offer it."),
        "starts_at": ItemColumn.time("From when on it can be had (auction, flash sale)."),
        "expires_at": ItemColumn.time("When it ends."),
        "price_band": ItemColumn.band("price", "Band of the price."),
        "popularity": replace(
            ItemColumn.value("log(1 + users who took it before the validation period).", default=0),
            from_items=False,
        ),
        "popularity_band": ItemColumn.band("popularity", "Band of the popularity."),
        "picture_group": replace(
            ItemColumn.group("Items whose first pictures are nearly identical."), from_items=False, later=True
        ),
    },
    _fault,
    kind=ItemColumn,
)
"""Item columns by name. `title` and `category` have fields of their own in an answer."""
