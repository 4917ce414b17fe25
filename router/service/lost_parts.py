"""Which names in `degraded` are of parts that are missing, and not of what a request asked for in vain."""

from __future__ import annotations

from collections.abc import Iterable

from recall.search.context_index import BRAND_UNKNOWN, CATEGORY_UNKNOWN, QUERY_PARTIAL, QUERY_UNKNOWN
from router.service.anchor import ANCHOR_UNKNOWN
from router.service.cart import CART_UNKNOWN

_OF_THE_REQUEST = frozenset(
    (ANCHOR_UNKNOWN, CART_UNKNOWN, QUERY_UNKNOWN, QUERY_PARTIAL, CATEGORY_UNKNOWN, BRAND_UNKNOWN)
)


def lost_parts(degraded: Iterable[str]) -> tuple[str, ...]:
    """The names but those of items, words and groups that a request named and the catalogue lacks.

    Operators are warned of these, and rollouts judged by them: shoppers who search for what a shop does not
    sell say nothing of either.
    """
    return tuple(name for name in degraded if name not in _OF_THE_REQUEST)
