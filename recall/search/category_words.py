"""Which words name categories: what an item is, rather than how it is."""

from __future__ import annotations

from collections import Counter

import numpy as np

from recall.search.words import terms_of
from snapshot.catalogue import Catalogue


def items_named(catalogue: Catalogue) -> Counter[str]:
    """By word, the items whose category has it in its name, in any part of a path."""
    names = catalogue.category_names(np.arange(catalogue.category_count + 1))
    items = np.bincount(catalogue.category[1:], minlength=len(names))
    named: Counter[str] = Counter()
    for name, count in zip(names, items.tolist(), strict=True):
        named.update(dict.fromkeys(terms_of(name), count))
    return named
