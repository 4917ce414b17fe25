"""Turns what a request asks for into a wish of one snapshot."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recall.search.asked import Asked
from recall.search.names import GroupNames
from recall.search.text_index import TextIndex
from recall.search.wish import NO_WISH, Wish, price_range
from snapshot.catalogue import Catalogue

QUERY_UNKNOWN, QUERY_PARTIAL = "query_unknown", "query_partial"
CATEGORY_UNKNOWN, BRAND_UNKNOWN = "category_unknown", "brand_unknown"
CONTEXT_UNREADABLE = "channel:context"


@dataclass(frozen=True, slots=True)
class ContextIndex:
    """What of a snapshot is searched."""

    catalogue: Catalogue
    texts: TextIndex
    categories: GroupNames
    standard_categories: GroupNames
    brands: GroupNames

    def wish(self, asked: Asked) -> tuple[Wish, tuple[str, ...]]:
        """The wish, and what of it the catalogue does not know.

        Something unknown that is a preference is left out of the wish; no item satisfies it as a must. Of a
        query that no item in stock has all words of, what has some is wished for.
        """
        unknown = []
        wish = Wish(
            price=price_range(asked.price_minimum, asked.price_maximum),
            search_query=asked.search_query.strip(),
        )
        if asked.search_query.strip():
            text = self.texts.match(asked.search_query)
            if text.items.size:
                wish = replace(wish, text=text)
                if not self.catalogue.in_stock[text.items[text.every_word]].any():
                    unknown.append(QUERY_PARTIAL)
            else:
                unknown.append(QUERY_UNKNOWN)
        if asked.category.strip():
            categories = self.categories.find(asked.category)
            standard = self.standard_categories.find(asked.category)
            if categories.any() or standard.any():
                wish = replace(wish, categories=categories, standard_categories=standard)
            else:
                unknown.append(CATEGORY_UNKNOWN)
        if asked.brand.strip():
            brands = self.brands.find(asked.brand)
            if brands.any():
                wish = replace(wish, brands=brands)
            else:
                unknown.append(BRAND_UNKNOWN)
        if asked.must:
            eligible = wish.having(self.catalogue, asked.must)
            matching = int(np.count_nonzero(eligible & self.catalogue.in_stock))
            wish = replace(wish, eligible=eligible, matching=matching)
        return wish, tuple(unknown)


def wish_of(index: ContextIndex | None, asked: Asked, catalogue: Catalogue) -> tuple[Wish, tuple[str, ...]]:
    """As `ContextIndex.wish`; without an index, preferences are left out, and no item satisfies a must."""
    if not asked.facets:
        return NO_WISH, ()
    if index is not None:
        return index.wish(asked)
    if not asked.must:
        return NO_WISH, (CONTEXT_UNREADABLE,)
    return Wish(eligible=np.zeros(catalogue.size + 1, np.bool_)), (CONTEXT_UNREADABLE,)
