"""What the shopper is looking for in the terms of one snapshot, and which items fit it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recall.search.asked import Facet
from recall.search.text_index import TextMatch
from snapshot.catalogue import Catalogue

_DEAREST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is None was not asked for, or this snapshot cannot say it.

    text        what the search query finds
    categories  bool[category codes + 1], those asked for; standard_categories likewise
    brands      bool[brand codes + 1]
    price       lowest and highest price, in the catalogue's currency
    search_query  the query as it was sent, also where no item has a word of it; "" = none
    eligible    bool[N + 1], items that satisfy all that the answer must; None: it need not satisfy anything
    matching    number of eligible items in stock
    """

    text: TextMatch | None = None
    categories: NDArray[np.bool_] | None = None
    standard_categories: NDArray[np.bool_] | None = None
    brands: NDArray[np.bool_] | None = None
    price: tuple[float, float] | None = None
    search_query: str = ""
    eligible: NDArray[np.bool_] | None = None
    matching: int = 0

    @property
    def says_anything(self) -> bool:
        """Whether there is anything by which items can differ."""
        return any(each is not None for each in (self.text, self.categories, self.brands, self.price))

    def matches(
        self, catalogue: Catalogue, items: NDArray[np.integer]
    ) -> Mapping[Facet, NDArray[np.float32]]:
        """How well items, integer[n], fit each thing asked for: float32[n], 0 … 1.

        An item whose price is unknown is in no range of prices.
        """
        found: dict[Facet, NDArray[np.float32]] = {}
        if self.text is not None:
            found[Facet.QUERY] = self.text.scores_of(items.astype(np.int32, copy=False))
        if self.categories is not None:
            fits = self.categories[catalogue.category[items]]
            if self.standard_categories is not None:
                fits = fits | self.standard_categories[catalogue.column("standard_category")[items]]
            found[Facet.CATEGORY] = fits.astype(np.float32)
        if self.brands is not None:
            found[Facet.BRAND] = self.brands[catalogue.brand[items]].astype(np.float32)
        if self.price is not None:
            price = catalogue.price[items]
            found[Facet.PRICE] = ((price >= self.price[0]) & (price <= self.price[1])).astype(np.float32)
        return found

    def names(self, catalogue: Catalogue, items: NDArray[np.integer]) -> NDArray[np.bool_]:
        """bool[n], which of items, integer[n], fit the query, the category or the brand asked for at all.

        A range of prices names no item.
        """
        named = np.zeros(len(items), np.bool_)
        for facet, match in self.matches(catalogue, items).items():
            if facet is not Facet.PRICE:
                named |= match > 0
        return named

    def having(self, catalogue: Catalogue, must: frozenset[Facet]) -> NDArray[np.bool_]:
        """bool[N + 1], which items satisfy all of `must` exactly: of a query, those with every word.

        What this snapshot cannot tell, no item satisfies.
        """
        eligible = np.ones(catalogue.size + 1, np.bool_)
        eligible[0] = False
        matches = self.matches(catalogue, np.arange(catalogue.size + 1)) if must - {Facet.QUERY} else {}
        for facet in must - {Facet.QUERY}:
            eligible &= matches[facet] > 0 if facet in matches else False
        if Facet.QUERY in must:
            has = np.zeros(catalogue.size + 1, np.bool_)
            if self.text is not None:
                has[self.text.items[self.text.every_word]] = True
            eligible &= has
        return eligible


def price_range(minimum: float | None, maximum: float | None) -> tuple[float, float] | None:
    """The range whose open ends are infinite; None where both are open.

    Prices are float32 in the catalogue: a bound is rounded like one, so that an item of that very price is
    in.
    """
    if minimum is None and maximum is None:
        return None
    low = -math.inf if minimum is None else float(np.float32(min(minimum, _DEAREST)))
    high = math.inf if maximum is None else float(np.float32(min(maximum, _DEAREST)))
    return low, high


NO_WISH = Wish()
