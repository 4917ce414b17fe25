"""64-bit keys of what is counted: items, categories, and pairs of two things."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from snapshot.catalogue import Catalogue

UInt64 = NDArray[np.uint64]

ALL_KEY = 1
"""Of everything together."""
_PERSON = b"live"
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_FIRST, _SECOND = np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB)


def text_key(text: str) -> int:
    """BLAKE2b (RFC 7693) of a text, 1…2⁶⁴ − 1; of the empty text 0, which means none."""
    if not text:
        return 0
    return int.from_bytes(blake2b(text.encode(), digest_size=8, person=_PERSON).digest(), "little") or 1


def text_keys(texts: Iterable[str]) -> UInt64:
    """uint64[n], `text_key` of each text."""
    return np.array([text_key(text) for text in texts], np.uint64)


def combined(first: UInt64, second: UInt64 | np.uint64) -> UInt64:
    """uint64[n] of pairs, never 0: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).

    The order counts: (a, b) and (b, a) are two pairs.
    """
    mixed = (first * _GOLDEN) ^ (second + (first << np.uint64(6)) + (first >> np.uint64(2)))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    mixed ^= mixed >> np.uint64(31)
    return np.maximum(mixed, np.uint64(1))


@dataclass(frozen=True, slots=True)
class CatalogueKeys:
    """Keys of a catalogue's items, categories and shops, which stay the same from snapshot to snapshot.

    items       uint64[N + 1] by dense item, 0 for the unknown one
    categories  uint64[N + 1], of each item's category; 0 where it has none
    shops       uint64[N + 1], of the shop that sells it; likewise
    """

    items: UInt64
    categories: UInt64
    shops: UInt64

    @classmethod
    def of(cls, catalogue: Catalogue) -> CatalogueKeys:
        """The keys of a catalogue's items, which are those of `snapshot.item_keys`."""
        items = np.zeros(catalogue.size + 1, np.uint64)
        items[catalogue.key_items] = catalogue.keys
        return cls(items, _group_keys(catalogue, "category"), _group_keys(catalogue, "shop"))


def _group_keys(catalogue: Catalogue, name: str) -> UInt64:
    """uint64[N + 1]: of each item's group in a group column."""
    keys = text_keys(catalogue.names(name, np.arange(catalogue.code_count(name) + 1)))
    found: UInt64 = keys[catalogue.column(name)]
    return found
