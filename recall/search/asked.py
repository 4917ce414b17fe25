"""What a request says the shopper is looking for, and the rules for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum


class Facet(Enum):
    """One of the things that a request can say; the value is its path in the request's context."""

    QUERY = "search_query"
    CATEGORY = "category"
    BRAND = "brand"
    PRICE = "price"


MAX_CHARACTERS = 256
"""Of each text."""
_TEXTS = (Facet.QUERY, Facet.CATEGORY, Facet.BRAND)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the shopper is looking for: empty texts and None where the request does not say.

    must: what every item of the answer has to satisfy; the rest is a preference. Prices in the catalogue's
    currency.
    """

    search_query: str = ""
    category: str = ""
    brand: str = ""
    price_minimum: float | None = None
    price_maximum: float | None = None
    must: frozenset[Facet] = frozenset()

    @property
    def facets(self) -> frozenset[Facet]:
        """What the request says anything about."""
        texts = {facet for facet in _TEXTS if getattr(self, facet.value).strip()}
        if self.price_minimum is not None or self.price_maximum is not None:
            texts.add(Facet.PRICE)
        return frozenset(texts)

    def faults(self) -> list[tuple[str, str]]:
        """Path in the context and description of everything that is wrong."""
        found = []
        for facet in _TEXTS:
            length = len(getattr(self, facet.value))
            if length > MAX_CHARACTERS:
                found.append((facet.value, f"must be at most {MAX_CHARACTERS} characters, is {length:,}"))
        for name in ("minimum", "maximum"):
            price = getattr(self, f"price_{name}")
            if price is not None and not (math.isfinite(price) and price >= 0):
                found.append((f"price.{name}", "must be a number of 0 or more"))
        if not found and (self.price_minimum or 0) > (
            math.inf if self.price_maximum is None else self.price_maximum
        ):
            found.append(("price", "must not have a minimum above its maximum"))
        found += [
            ("must", f"names {facet.value}, of which the request says nothing")
            for facet in Facet
            if facet in self.must - self.facets
        ]
        return found


NOTHING_ASKED = Asked()
