"""What the shopper is looking for, as the command line says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from protos.shopfront.v1 import recommend_pb2


class MustField(StrEnum):
    """What can be a must."""

    QUERY = "query"
    CATEGORY = "category"
    BRAND = "brand"
    PRICE = "price"


_FIELDS = {
    MustField.QUERY: recommend_pb2.CONTEXT_FIELD_SEARCH_QUERY,
    MustField.CATEGORY: recommend_pb2.CONTEXT_FIELD_CATEGORY,
    MustField.BRAND: recommend_pb2.CONTEXT_FIELD_BRAND,
    MustField.PRICE: recommend_pb2.CONTEXT_FIELD_PRICE,
}


@dataclass(frozen=True, slots=True)
class LookedFor:
    """Texts are empty and prices None where nothing is said; `must`: what is no preference."""

    query: str = ""
    category: str = ""
    brand: str = ""
    price_from: float | None = None
    price_to: float | None = None
    must: Sequence[MustField] = ()

    def message(self) -> recommend_pb2.Context:
        """The context of a request."""
        context = recommend_pb2.Context(
            search_query=self.query,
            category=self.category,
            brand=self.brand,
            must=[_FIELDS[field] for field in self.must],
        )
        if self.price_from is not None or self.price_to is not None:
            context.price.CopyFrom(recommend_pb2.PriceRange(minimum=self.price_from, maximum=self.price_to))
        return context


NOTHING = LookedFor()
