"""Item columns as a plug-in registers them, for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from snapshot.item_columns import ITEM_COLUMNS, ItemColumn

SOURCE = "shop_plugin"


@contextmanager
def registered(**columns: ItemColumn) -> Iterator[None]:
    """Registers these columns, of the module `shop_plugin`, while the block runs."""
    try:
        for name, column in columns.items():
            ITEM_COLUMNS.add(name, column, SOURCE)
        yield
    finally:
        ITEM_COLUMNS.remove(SOURCE)
