"""Ease: items by a linear autoencoder over what shoppers took (EASE; Steck, WWW 2019), cut to i2i lists.

    score(j) = Σ over the shopper's items i  w_i · B_ij,   B = −P / diag(P) off the diagonal, P = (XᵀX + λI)⁻¹

X has a 1 for each shopper and item taken. The inverse is made offline over the `max_items` most taken items:
its time grows with the cube of their number, its memory with the square. Of each item only the largest
positive weights are kept, so that a request costs what neighbours of items cost.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.ease_settings import EaseChannelSettings
from recall.evidence import evidence_of
from recall.lists import ItemLists
from recall.merge import merge_by_item
from recall.query import Query
from snapshot.catalogue import Catalogue

NAME = "ease"
WEIGHTS = "weights"


class Ease:
    """Sums the weights over the shopper's latest items."""

    name = NAME

    def __init__(self, weights: ItemLists, settings: EaseChannelSettings) -> None:
        """The weights from each item, N + 1 rows."""
        self._weights = weights
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items of the largest sums; each names what contributed most. Empty without a history."""
        causes, weights = evidence_of(query, self._settings)
        items, between, source = self._weights.gather(causes)
        scores = (between * weights[source]).astype(np.float32)
        counting = np.flatnonzero(scores > 0)
        return merge_by_item(items[counting], scores[counting], causes[source[counting]], k, "sum")


def build(source: BuildSource, folder: Path, settings: EaseChannelSettings) -> dict[str, int]:
    """Write the weights into `folder`; returns how many. Raises NothingToRecall where no two items meet."""
    from recall.ease_build import item_weights

    return {WEIGHTS: item_weights(source, settings).write(folder, WEIGHTS)}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: EaseChannelSettings
) -> Ease:
    """Memory-map the weights of `build`. Raises SnapshotError where they are torn or do not fit."""
    return Ease(ItemLists.open(folder, WEIGHTS, catalogue.size + 1), settings)


CHANNEL = ChannelKind(settings=EaseChannelSettings, build=build, open=open_channel, waits=False)
