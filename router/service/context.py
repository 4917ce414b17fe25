"""What the shopper is looking for, as the contract's message says it."""

from __future__ import annotations

from collections.abc import Mapping

from protos.shopfront.v1.recommend_pb2 import Context, ContextField
from recall.search.asked import Asked, Facet

_FACETS: Mapping[int, Facet] = {
    ContextField.CONTEXT_FIELD_SEARCH_QUERY: Facet.QUERY,
    ContextField.CONTEXT_FIELD_CATEGORY: Facet.CATEGORY,
    ContextField.CONTEXT_FIELD_BRAND: Facet.BRAND,
    ContextField.CONTEXT_FIELD_PRICE: Facet.PRICE,
}
MAX_MUSTS = len(_FACETS)


def asked_of(context: Context) -> Asked:
    """The wish of a message; entries of `must` that are no field are left out."""
    price = context.price
    return Asked(
        search_query=context.search_query,
        category=context.category,
        brand=context.brand,
        price_minimum=price.minimum if price.HasField("minimum") else None,
        price_maximum=price.maximum if price.HasField("maximum") else None,
        must=frozenset(_FACETS[field] for field in context.must[:MAX_MUSTS] if field in _FACETS),
    )


def context_faults(context: Context) -> list[tuple[str, str]]:
    """Field, from the request on, and description of everything that is wrong with the wish."""
    if len(context.must) > MAX_MUSTS:
        return [("context.must", f"must hold at most {MAX_MUSTS} fields, holds {len(context.must):,}")]
    found = [(f"context.{path}", description) for path, description in asked_of(context).faults()]
    return found + [
        (f"context.must[{index}]", "is none of ContextField")
        for index, field in enumerate(context.must)
        if field not in _FACETS
    ]
