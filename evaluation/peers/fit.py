"""Fits every peer on what shoppers did before the test range."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from evaluation.baselines import ItemCf
from evaluation.peer_settings import PeersSettings
from evaluation.peers import als, boosted_counts
from evaluation.peers.als import Als
from evaluation.peers.boosted_counts import BoostedCounts
from evaluation.peers.ease import Ease
from evaluation.peers.global_popularity import GlobalPopularity
from evaluation.peers.item_cf_history import ItemCfHistory
from evaluation.peers.past_events import PastEvents, Visits
from evaluation.peers.peer import Peer
from evaluation.peers.personal_frequency import PersonalFrequency
from evaluation.peers.session_knn import SessionKnn
from evaluation.peers.tifu_knn import TifuKnn

ALS, BOOSTED_COUNTS = "als", "lightgbm, counts"
_LIBRARIES = {ALS: als.LIBRARY, BOOSTED_COUNTS: boosted_counts.LIBRARY}


def missing_libraries() -> dict[str, str]:
    """Row → library without which it is left out, of those that are not installed."""
    return {row: library for row, library in _LIBRARIES.items() if find_spec(library) is None}


def fit_peers(
    past: PastEvents,
    visits: Visits,
    item_cf: ItemCf,
    settings: PeersSettings,
    category: NDArray[np.integer],
    seed: int,
) -> dict[str, Peer]:
    """Row → peer; those of `missing_libraries` are left out, and what nothing could be learned of.

    Args:
        past: events before the cut.
        visits: those of `past`.
        item_cf: fitted on the same events.
        settings: of all peers.
        category: int[N + 1], categories by item; 0 = unknown.
        seed: of those that draw.
    """
    missing = missing_libraries()
    peers: dict[str, Peer] = {
        "popularity": GlobalPopularity(visits.popularity(settings.popularity_half_life_days)),
        "gp_topfreq": PersonalFrequency.fit(visits),
        "decayed_frequency": PersonalFrequency.fit(visits, settings.frequency_half_life_days),
        "item_cf, all events": ItemCfHistory.of(item_cf, past, settings.item_cf_half_life_days),
        "tifu_knn": TifuKnn.fit(visits, settings.tifu_knn),
        "v_sknn": SessionKnn.fit(visits, settings.session_knn),
        "ease": Ease.fit(visits, settings.ease),
    }
    if ALS not in missing:
        peers[ALS] = Als.fit(visits, settings.als, seed)
    if BOOSTED_COUNTS not in missing:
        boosted = BoostedCounts.fit(past, category, settings.boosted_counts, seed)
        if boosted is not None:
            peers[BOOSTED_COUNTS] = boosted
    return peers
