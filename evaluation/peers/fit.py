"""Fits every peer on what shoppers did before the test range."""

from __future__ import annotations

from evaluation.baselines import ItemCf
from evaluation.peer_settings import PeersSettings
from evaluation.peers.ease import Ease
from evaluation.peers.global_popularity import GlobalPopularity
from evaluation.peers.item_cf_history import ItemCfHistory
from evaluation.peers.past_events import PastEvents, Visits
from evaluation.peers.peer import Peer
from evaluation.peers.personal_frequency import PersonalFrequency
from evaluation.peers.session_knn import SessionKnn
from evaluation.peers.tifu_knn import TifuKnn


def fit_peers(past: PastEvents, visits: Visits, item_cf: ItemCf, settings: PeersSettings) -> dict[str, Peer]:
    """Row → peer.

    Args:
        past: events before the cut.
        visits: those of `past`.
        item_cf: fitted on the same events.
        settings: of all peers.
    """
    return {
        "popularity": GlobalPopularity(visits.popularity(settings.popularity_half_life_days)),
        "gp_topfreq": PersonalFrequency.fit(visits),
        "decayed_frequency": PersonalFrequency.fit(visits, settings.frequency_half_life_days),
        "item_cf, all events": ItemCfHistory.of(item_cf, past, settings.item_cf_half_life_days),
        "tifu_knn": TifuKnn.fit(visits, settings.tifu_knn),
        "v_sknn": SessionKnn.fit(visits, settings.session_knn),
        "ease": Ease.fit(visits, settings.ease),
    }
