"""Every filter by name. A new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel

from foundation.registry import Registry
from pipeline.stages import Filter
from recall.query import Query
from router.filters import adult, already_bought, excluded, out_of_stock
from snapshot.catalogue import Catalogue


class FilterKind(NamedTuple):
    """The settings a filter takes and how it is built: build(catalogue, settings)."""

    settings: type[BaseModel]
    build: Callable[[Catalogue, Any], Filter[Query]]


FILTERS: Registry[FilterKind] = Registry(
    "filter",
    "FILTERS",
    {
        "excluded": FilterKind(excluded.ExcludedSettings, excluded.build),
        "out_of_stock": FilterKind(out_of_stock.OutOfStockSettings, out_of_stock.build),
        "adult": FilterKind(adult.AdultSettings, adult.build),
        "already_bought": FilterKind(already_bought.AlreadyBoughtSettings, already_bought.build),
    },
)
