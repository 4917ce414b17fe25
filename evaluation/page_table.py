"""The table of served pages: every scene as shoppers see it, its channels, peers, and its scores."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evaluation.baselines import ItemCf
from evaluation.loaded_models import LoadedModel
from evaluation.objective_fit import Happened, asked_shoppers
from evaluation.objective_reliability import objective_rows, value_of
from evaluation.page_metrics import PageFacts, page_row
from evaluation.peers.fit import BOOSTED_COUNTS, fit_peers, missing_libraries
from evaluation.peers.past_events import PastEvents, Visits
from evaluation.peers.peer import peer_pages
from evaluation.queries import TestShopper
from evaluation.recall_table import recalls_any
from evaluation.reliability import ScoredCandidates, reliability_rows
from evaluation.served_scene import ServedScene, served
from evaluation.settings import EvaluationSettings
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline
from recall.channel import BuildSource, Channel
from recall.query import Query
from recall.triggers import TriggerSettings
from router.ranking.logistic.table import LOGISTIC_RANKER
from router.ranking.logistic.weights import Weights
from router.ranking.objectives.fitted import FittedObjectives
from router.ranking.objectives.table import OBJECTIVES
from router.ranking.value_merge import ValueSettings

PAGE = 10
RECALL_ORDER = ", recall order"
_DAY_S = 86_400
WITHOUT_MODELS = ", without the model"

Pages = list[NDArray[np.int32]]
Rows = dict[str, dict[str, float]]


@dataclass(frozen=True)
class PageTables:
    """What was measured of served pages.

    pages: row → column → value (`page_metrics.page_row`); reliability: of the scores of the candidates behind
    them (`reliability.reliability_rows`); notes: what a reader of the rows must know.
    """

    pages: Rows = field(default_factory=dict)
    reliability: Rows = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ServedPages:
    """What every row of the table is measured with.

    source: what channels and tables are built from; log: the whole log; channels: open, by name; models: by
    name; tables: folder for the scenes' learned tables; item_cf: fitted on the events of `source`; events:
    the whole log with its impressions, for the objectives of scenes that weigh several; None: these have no
    rows; triggers: of the queries of these.
    """

    source: BuildSource
    log: InteractionLog
    channels: Mapping[str, Channel]
    models: Mapping[str, LoadedModel]
    tables: Path
    item_cf: ItemCf
    events: pl.DataFrame | None = None
    triggers: TriggerSettings = field(default_factory=TriggerSettings)

    def measure(
        self, scenes: Sequence[ServedScene], shoppers: Sequence[TestShopper], settings: EvaluationSettings
    ) -> PageTables:
        """The pages' rows, those of their candidates' scores, and notes.

        The rows of pages: each scene as served; each that ranks also in recall order and, where it has other
        scorers too, without those that are models on Triton; the head of each channel's answer; and the
        peers, which show items that are in stock and not adult. The scores are those of scenes that rank.

        Raises SettingsError where a scene cannot be opened.
        """
        if not scenes or not shoppers:
            return PageTables()
        past = PastEvents.before(self.log, self._now())
        catalogue = self.source.catalogue
        facts = PageFacts(past, np.asarray(catalogue.category), np.asarray(catalogue.price))
        pages: dict[str, Pages] = {}
        reliability: Rows = {}
        notes: list[str] = []
        for scene in scenes:
            pages[scene.name], scored = self._served(scene, shoppers)
            if not scene.settings.ranking.enabled:
                continue
            value = value_of(scene)
            if value is not None:
                reliability |= self._objectives(scene, value, shoppers, settings.seed)
            elif scored.are_probabilities():
                reliability |= reliability_rows(scene.name, scored, settings.seed)
            else:
                notes.append(f"the scores of {scene.name} are no probabilities and have no reliability")
            without = scene.without_models()
            if without is not None:
                pages[scene.name + WITHOUT_MODELS], _ = self._served(without, shoppers)
            pages[scene.name + RECALL_ORDER], _ = self._served(scene.in_recall_order(), shoppers)
        for name, channel in self.channels.items():
            heads = asyncio.run(_recalled(channel, shoppers))
            if recalls_any(heads):
                pages[name] = heads
        shown, more = self._peer_pages(past, shoppers, settings)
        pages |= shown
        rows = {name: page_row(shoppers, shown, facts, PAGE, settings.seed) for name, shown in pages.items()}
        if reliability:
            notes += [*self._window_note(), *self._shift_notes([scene.name for scene in scenes])]
        return PageTables(rows, reliability, [*notes, *more])

    def _served(self, scene: ServedScene, shoppers: Sequence[TestShopper]) -> tuple[Pages, ScoredCandidates]:
        pipeline = scene.open(self.source, self.tables, self.channels, self.models)
        queries = [replace(each.query, scene=scene.name) for each in shoppers]
        pages, candidates = asyncio.run(_pages(pipeline, queries))
        until = self._now() + self._window_s()
        taken = [each.taken_before(until) for each in shoppers]
        # As in the fit, which learns of shoppers who take something in the window.
        active = [number for number, items in enumerate(taken) if len(items)]
        return pages, ScoredCandidates.of(
            [candidates[number] for number in active], [taken[number] for number in active]
        )

    def _objectives(
        self, scene: ServedScene, value: ValueSettings, shoppers: Sequence[TestShopper], seed: int
    ) -> Rows:
        """The rows of the scene's objectives, as `objective_rows`."""
        if self.events is None:
            return {}
        pipeline = scene.open(self.source, self.tables, self.channels, self.models)
        fitted = FittedObjectives.read(self.tables / OBJECTIVES.name).scenes.get(scene.name)
        until = min(self._now() + self._window_s(), float(np.iinfo(np.int64).max))
        window = self.events.filter((pl.col("ts") >= self._now()) & (pl.col("ts").cast(pl.Float64) < until))
        happened = Happened.of(window)
        active = [each for each in shoppers if each.user in happened.taken]
        asked = asked_shoppers(
            lambda shoppers: self.log,
            self.source.users,
            happened,
            active,
            self._now(),
            len(shoppers),
            self.triggers,
            np.random.default_rng(seed),
        )
        if fitted is None or not asked:
            return {}
        return objective_rows(scene, value, pipeline, fitted, asked, happened, seed)

    def _now(self) -> int:
        return self.source.now + 1

    def _last_layer(self) -> Weights | None:
        """As it was fitted; None where it was not."""
        fitted = self.source.fitted.get(LOGISTIC_RANKER.name)
        return None if fitted is None else Weights.read(fitted)

    def _window_s(self) -> float:
        """Seconds within which a take counts for the reliability of scores: those of the fit; else all."""
        learned = self._last_layer()
        days = 0.0 if learned is None else learned.window_days
        return days * _DAY_S if days else math.inf

    def _shift_notes(self, scenes: Sequence[str]) -> list[str]:
        """By how much the scores of each of these scenes were moved, one whose candidates are its own."""
        learned = self._last_layer()
        shifts = {} if learned is None else learned.scene_shifts
        return [
            f"{name}: odds of scores times {math.exp(shifts[name].beside):.2f}, without the model times "
            f"{math.exp(shifts[name].alone):.2f}, for candidates that the weights were not fitted on "
            f"({shifts[name].taken:,} of them taken in the validation range)"
            for name in scenes
            if name in shifts
        ]

    def _window_note(self) -> list[str]:
        """Within how many days a fitted score predicts a take, and whether the test range has as many."""
        days = self._window_s() / _DAY_S
        if math.isinf(days):
            return []
        note = f"scores by log_odds are for {days:.1f} days, and so are the takes of their reliability"
        there = (int(self.log.behaviours.ts.max()) - self.source.now) / _DAY_S
        if there < days:
            note += f"; the test range has {there:.1f}, which alone makes the ratio about {there / days:.2f}"
        return [note]

    def _peer_pages(
        self, past: PastEvents, shoppers: Sequence[TestShopper], settings: EvaluationSettings
    ) -> tuple[dict[str, Pages], list[str]]:
        visits = Visits.of(past)
        popularity = visits.popularity(settings.peers.popularity_half_life_days)
        catalogue = self.source.catalogue
        shown = np.asarray(catalogue.in_stock) & ~np.asarray(catalogue.adult)
        users = np.array([shopper.user for shopper in shoppers], np.int32)
        category = np.asarray(catalogue.category)
        peers = fit_peers(past, visits, self.item_cf, settings.peers, category, settings.seed)
        taken = len(np.unique(past.item))
        scored = settings.peers.ease.max_items
        notes = [
            f"the row {row} is left out: the library {library} is not installed"
            for row, library in missing_libraries().items()
        ]
        if BOOSTED_COUNTS not in peers and BOOSTED_COUNTS not in missing_libraries():
            notes.append(f"the row {BOOSTED_COUNTS} is left out: nobody took what it would learn of")
        if taken > scored:
            notes.append(
                f"ease scores {scored} of {taken} items, those taken by most shoppers "
                "(evaluation.peers.ease.max_items)"
            )
        return {name: peer_pages(peer, users, popularity, shown, PAGE) for name, peer in peers.items()}, notes


async def _pages(
    pipeline: Pipeline[Query], queries: Sequence[Query]
) -> tuple[Pages, list[tuple[NDArray[np.int32], NDArray[np.float32]]]]:
    """The page for each query, and the items and scores of all its candidates."""
    pages: Pages = []
    candidates = []
    for query in queries:
        page, items, scores = await served(pipeline, query, PAGE)
        pages.append(page)
        candidates.append((items, scores))
    return pages, candidates


async def _recalled(channel: Channel, shoppers: Sequence[TestShopper]) -> Pages:
    return [(await channel.recall(shopper.query, PAGE)).items for shopper in shoppers]
