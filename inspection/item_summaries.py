"""Items of the catalogue as messages that people can read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protos.shopfront.v1.admin_pb2 import ItemSummary
from snapshot.catalogue import Catalogue


def summaries(catalogue: Catalogue, items: NDArray[np.integer[Any]]) -> list[ItemSummary]:
    """One message for each of the dense items (integer[n]); empty for 0."""
    prices = catalogue.price[items].tolist()
    return [
        ItemSummary(
            item_id=item_id,
            title=title,
            category=category,
            brand=brand,
            price=None if math.isnan(price) else price,
            in_stock=in_stock,
        )
        for item_id, title, category, brand, price, in_stock in zip(
            catalogue.item_ids(items),
            catalogue.titles(items),
            catalogue.category_names(catalogue.category[items]),
            catalogue.names("brand", catalogue.brand[items]),
            prices,
            catalogue.in_stock[items].tolist(),
            strict=True,
        )
    ]


def summary(catalogue: Catalogue, item: int) -> ItemSummary:
    """The message of one dense item; empty for 0."""
    return summaries(catalogue, np.array([item], np.int32))[0]
