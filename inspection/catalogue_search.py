"""Search of the catalogue by id and by words of titles and categories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snapshot.catalogue import Catalogue

_BLOCK = 4_096


class CatalogueSearch:
    """Searches one catalogue, the best known items first; safe in several threads."""

    def __init__(self, catalogue: Catalogue, most: int) -> None:
        """`most`: items whose titles one search looks through."""
        self.catalogue = catalogue
        order = np.argsort(-catalogue.popularity[1:], kind="stable")[:most] + 1
        self._order = order.astype(np.int32)
        self.truncated = catalogue.size > order.size
        """Whether there are items that no search looks through."""

    def find(self, query: str, limit: int) -> tuple[NDArray[np.int32], int]:
        """Dense items int32[m], m ≤ limit, and how many items were looked through.

        The item whose id is `query` comes first; then those whose title and category contain every word of
        it, in any case, by popularity. Takes some 0.3 µs for each item that is looked through.
        """
        found: list[int] = [item for item in self.catalogue.dense([query.strip()]).tolist() if item]
        words = query.casefold().split()
        searched = 0
        for start in range(0, self._order.size if words else 0, _BLOCK):
            if len(found) >= limit:
                break
            block = self._order[start : start + _BLOCK]
            searched += block.size
            texts = self.catalogue.titles(block)
            categories = self.catalogue.category_names(self.catalogue.category[block])
            for item, title, category in zip(block.tolist(), texts, categories, strict=True):
                text = f"{title} {category}".casefold()
                if all(word in text for word in words) and item not in found:
                    found.append(item)
                    if len(found) >= limit:
                        break
        return np.array(found[:limit], np.int32), searched
