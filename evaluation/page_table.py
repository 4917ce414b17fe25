"""The table of served pages: every scene as shoppers see it, its channels, and peers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.baselines import ItemCf
from evaluation.loaded_models import LoadedModel
from evaluation.page_metrics import PageFacts, page_row
from evaluation.peers.fit import fit_peers
from evaluation.peers.past_events import PastEvents, Visits
from evaluation.peers.peer import peer_pages
from evaluation.queries import TestShopper
from evaluation.served_scene import ServedScene, served_items
from evaluation.settings import EvaluationSettings
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline
from recall.channel import BuildSource, Channel
from recall.query import Query

PAGE = 10
RECALL_ORDER = ", recall order"

Pages = list[NDArray[np.int32]]


@dataclass(frozen=True)
class ServedPages:
    """What every row of the table is measured with.

    source: what channels and tables are built from; log: the whole log; channels: open, by name; models: by
    name; tables: folder for the scenes' learned tables; item_cf: fitted on the events of `source`.
    """

    source: BuildSource
    log: InteractionLog
    channels: Mapping[str, Channel]
    models: Mapping[str, LoadedModel]
    tables: Path
    item_cf: ItemCf

    def measure(
        self, scenes: Sequence[ServedScene], shoppers: Sequence[TestShopper], settings: EvaluationSettings
    ) -> tuple[dict[str, dict[str, float]], list[str]]:
        """Row → column → value (`page_metrics.page_row`), and what a reader of the rows must know.

        The rows: each scene as served; each that ranks also in recall order; the head of each channel's
        answer; and the peers, which show items that are in stock and not adult.

        Raises SettingsError where a scene cannot be opened.
        """
        if not scenes or not shoppers:
            return {}, []
        past = PastEvents.before(self.log, self.source.now + 1)
        facts = PageFacts(past, np.asarray(self.source.catalogue.category))
        pages: dict[str, Pages] = {}
        for scene in scenes:
            pages[scene.name] = self._served(scene, shoppers)
            if scene.settings.ranking.enabled:
                pages[scene.name + RECALL_ORDER] = self._served(scene.in_recall_order(), shoppers)
        for name, channel in self.channels.items():
            pages[name] = asyncio.run(_recalled(channel, shoppers))
        shown, notes = self._peer_pages(past, shoppers, settings)
        pages |= shown
        return {
            name: page_row(shoppers, shown, facts, PAGE, settings.seed) for name, shown in pages.items()
        }, notes

    def _served(self, scene: ServedScene, shoppers: Sequence[TestShopper]) -> Pages:
        pipeline = scene.open(self.source, self.tables, self.channels, self.models)
        return asyncio.run(_pages(pipeline, [replace(each.query, scene=scene.name) for each in shoppers]))

    def _peer_pages(
        self, past: PastEvents, shoppers: Sequence[TestShopper], settings: EvaluationSettings
    ) -> tuple[dict[str, Pages], list[str]]:
        visits = Visits.of(past)
        popularity = visits.popularity(settings.peers.popularity_half_life_days)
        catalogue = self.source.catalogue
        shown = np.asarray(catalogue.in_stock) & ~np.asarray(catalogue.adult)
        users = np.array([shopper.user for shopper in shoppers], np.int32)
        peers = fit_peers(past, visits, self.item_cf, settings.peers)
        taken = len(np.unique(past.item))
        scored = settings.peers.ease.max_items
        notes = []
        if taken > scored:
            notes.append(
                f"ease scores {scored} of {taken} items, those taken by most shoppers "
                "(evaluation.peers.ease.max_items)"
            )
        return {name: peer_pages(peer, users, popularity, shown, PAGE) for name, peer in peers.items()}, notes


async def _pages(pipeline: Pipeline[Query], queries: Sequence[Query]) -> Pages:
    return [await served_items(pipeline, query, PAGE) for query in queries]


async def _recalled(channel: Channel, shoppers: Sequence[TestShopper]) -> Pages:
    return [(await channel.recall(shopper.query, PAGE)).items for shopper in shoppers]
