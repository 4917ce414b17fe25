"""Rbm: a restricted Boltzmann machine with multinomial visible units. A plain reference form.

Each item is a visible unit of K + 1 states: not taken (0), or the strongest behaviour with it; hidden units
are binary (Salakhutdinov, Mnih and Hinton, ICML 2007; multinomial units as in Louppe, 2010, for collaborative
filtering). With v_i the state of item i,

    P(h_f = 1 | v) = σ(c_f + Σ over items taken  W_{i, v_i, f})
    P(v_i = s | h) ∝ exp(b_{i, s} + Σ_f h_f W_{i, s, f}),   the state 0 with b = W = 0

trained by contrastive divergence of one step; items that a shopper did not take count as state 0. A request
computes P(h | v) of the shopper's latest items, with weights of `recall.evidence`, and orders by the expected
strength Σ_s strength_s · P(v_i = s | h).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.evidence import evidence_of
from recall.listed_items import open_items
from recall.merge import top_positions
from recall.query import Query
from recall.rbm_settings import RbmSettings
from recall.vector_index import write_vectors
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.event_codes import EVENT_STRENGTH, IMPRESSION

NAME = "rbm"
ITEMS, SHOWABLE, STATES, WEIGHTS, BIAS, HIDDEN = "items", "showable", "states", "weights", "bias", "hidden"


class Rbm:
    """Infers the hidden units of a shopper and what these expect of every item."""

    name = NAME

    def __init__(
        self,
        items: NDArray[np.int32],
        states: NDArray[np.uint8],
        weights: NDArray[np.float32],
        bias: NDArray[np.float32],
        hidden: NDArray[np.float32],
        showable: NDArray[np.bool_],
        settings: RbmSettings,
    ) -> None:
        """`items`: int32[m], ascending; `states`: uint8[K], the event codes of states 1…K.

        weights float32[m, K, F], bias float32[m, K], hidden float32[F]; `showable`: those in stock.
        """
        self._items, self._states, self._showable = items, states, showable
        self._weights, self._bias, self._hidden = weights, bias, hidden
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items of which most is expected; each names the item whose weights point its way most.

        Empty without a history that the machine knows.
        """
        causes, counted = evidence_of(query, self._settings)
        at = np.minimum(np.searchsorted(self._items, causes), len(self._items) - 1)
        known = self._items[at] == causes
        causes, at, counted = causes[known], at[known], counted[known]
        if not at.size or k <= 0:
            return EMPTY_RECALL
        own = self._weights[at, self._state_of(query, causes)]
        units = self._hidden + counted @ own
        probability = 1 / (1 + np.exp(-units))
        odds = np.exp(np.minimum(self._bias + self._weights @ probability, 50.0))
        expected = (odds @ EVENT_STRENGTH[self._states]) / (1 + odds.sum(axis=1))
        shown = np.flatnonzero(self._showable)
        best = shown[top_positions(expected[shown], self._items[shown], k)]
        strongest = self._weights[best].max(axis=1) @ own.T
        return Recalled(
            self._items[best], expected[best].astype(np.float32), causes[np.argmax(strongest, axis=1)]
        )

    def _state_of(self, query: Query, causes: NDArray[np.int32]) -> NDArray[np.int64]:
        """int64[n]: place among the states of the strongest behaviour with each item, else the first."""
        strength = EVENT_STRENGTH[query.history_events]
        strongest = np.zeros(len(causes), np.float32)
        for row, item in enumerate(causes.tolist()):
            strongest[row] = strength[query.history_items == item].max(initial=0)
        at = np.searchsorted(EVENT_STRENGTH[self._states], strongest, side="right") - 1
        return np.maximum(at, 0)


def build(source: BuildSource, folder: Path, settings: RbmSettings) -> dict[str, int]:
    """Train and write the machine; returns its items and hidden units.

    Raises NothingToRecall where no shopper took two items.
    """
    import polars as pl

    from recall.rbm_build import trained
    from recall.taken_matrix import TakenMatrix

    taken = TakenMatrix.of(source, settings.max_items, settings.items_per_user)
    past = source.events.filter((pl.col("event") != IMPRESSION) & (pl.col("ts") <= source.now))
    states, weights, bias, hidden = trained(past, taken.items, settings, source.seed)
    save_column(folder, ITEMS, taken.items)
    save_column(folder, SHOWABLE, np.asarray(source.catalogue.in_stock[taken.items], np.bool_))
    save_column(folder, STATES, states)
    save_column(folder, HIDDEN, hidden)
    write_vectors(folder, WEIGHTS, weights)
    save_column(folder, BIAS, bias.reshape(-1))
    return {ITEMS: len(taken.items), HIDDEN: len(hidden)}


def open_channel(folder: Path, catalogue: Catalogue, services: Services, settings: RbmSettings) -> Rbm:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    items = open_items(folder, ITEMS, catalogue)
    states = load_column(folder, STATES, np.dtype(np.uint8))
    hidden = load_column(folder, HIDDEN, np.dtype(np.float32))
    shape = len(items), len(states), len(hidden)
    weights = load_column(folder, WEIGHTS, np.dtype(np.float32), int(np.prod(shape)))
    bias = load_column(folder, BIAS, np.dtype(np.float32), shape[0] * shape[1])
    showable = load_column(folder, SHOWABLE, np.dtype(np.bool_), len(items))
    return Rbm(items, states, weights.reshape(shape), bias.reshape(shape[:2]), hidden, showable, settings)


CHANNEL = ChannelKind(settings=RbmSettings, build=build, open=open_channel, waits=False)
