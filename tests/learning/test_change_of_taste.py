"""A page with the learner follows a shopper whose taste changes, in a simulation of one shopper.

A shopper sees pages of the ten best items by a base score, to which `live.lift` and `online.lift` are added;
what is seen and clicked is counted and learned, as the stream does, before the next page.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learning.ranker.ranker import OnlineRanker
from learning.ranker.settings import CorrectionSettings, OnlineRankerSettings
from learning.stream.counter_table import CounterTable
from learning.stream.samples import Samples
from pipeline.candidates import unscored
from recall.query import Query
from router.query_features.surroundings import Surroundings
from router.ranking.live import LiveSettings
from router.ranking.live import open_scorer as open_live
from router.ranking.online import OnlineSettings
from router.ranking.online import open_scorer as open_online
from router.ranking.scorer_kind import ScorerContext
from snapshot.catalogue import Catalogue
from state.live_counters.counter_file import open_counters
from state.live_counters.decay import SIGNALS
from state.live_counters.keys import CatalogueKeys, text_key
from state.live_counters.kinds import LIVE_KINDS, Subjects
from state.live_counters.live_counters import LiveCounters
from tests.recall.small_shop import make_catalogue, make_query

CATEGORIES, PER_CATEGORY, PAGE = 12, 10, 10
ITEMS = np.arange(1, CATEGORIES * PER_CATEGORY + 1, dtype=np.int32)
START_S = 1_800_000_000
VISIT_S = 20
BEFORE, AFTER = 250, 60
PUBLISHED_EVERY = 3
PLAIN = CorrectionSettings(enabled=False)


class Page:
    """The page of a shop, and what was learned of it."""

    def __init__(self, catalogue: Catalogue, folder: Path, *, learned: bool, follows: bool = True) -> None:
        """`learned`: whether the learner's columns count; `follows`: whether they follow changes."""
        self._catalogue = catalogue
        self._keys = CatalogueKeys.of(catalogue)
        self._tables = {
            name: CounterTable(folder, name, kind.most_rows, kind.most_impressions)
            for name, kind in LIVE_KINDS.items()
            if not kind.served
        }
        # Too few rows for another file.
        self._counters = LiveCounters(
            {name: open_counters(folder / table.file) for name, table in self._tables.items()}
        )
        settings = OnlineRankerSettings(bits=12)
        if not follows:
            settings = settings.model_copy(update={"correction": PLAIN})
        self._ranker = OnlineRanker(settings)
        context = ScorerContext(catalogue, {})
        turn = LiveSettings().turn if follows else 1e-12
        self._live = open_live(context, LiveSettings(most=3.0, turn=turn))
        self._online = open_online(context, OnlineSettings(most=3.0))
        self._base = np.random.default_rng(5).normal(0, 0.7, ITEMS.size)
        self._learned = learned

    def visit(self, number: int, liked: np.ndarray, draws: np.ndarray) -> float:
        """The part of a page that is clicked: of liked categories 4 in 10 items, of others 3 in 100."""
        score = self._base.copy()
        now_s = START_S + number * VISIT_S
        if self._learned:
            score += self._lift(replace(make_query(), now=now_s, scene="home", user_id="u1"))
        shown = ITEMS[np.argsort(-score, kind="stable")[:PAGE]]
        clicked = draws[shown - 1] < np.where(liked[self._catalogue.category[shown] - 1], 0.4, 0.03)
        if self._learned:
            self._learn(shown, clicked, now_s)
            if number % PUBLISHED_EVERY == 0:
                self._ranker.next_version()
        return float(clicked.mean())

    def _lift(self, query: Query) -> np.ndarray:
        features = {
            "live_counters": self._counters,
            "online_model": self._ranker.published,
            "surroundings": Surroundings("", ()),
        }
        asked = replace(query, features=features)
        found = unscored(
            ITEMS,
            np.ones(ITEMS.size, np.uint32),
            np.zeros(ITEMS.size, np.float32),
            np.zeros(ITEMS.size, np.int32),
        )
        columns = [asyncio.run(scorer.score(asked, found))["lift"] for scorer in (self._live, self._online)]
        return np.sum(columns, axis=0)

    def _learn(self, shown: np.ndarray, clicked: np.ndarray, now_s: int) -> None:
        shopper, scene = (np.array([text_key(text)], np.uint64) for text in ("u1", "home"))
        for signal, of in (("impressions", shown), ("clicks", shown[clicked]), ("views", shown[clicked])):
            about = Subjects(self._keys.items[of], self._keys.categories[of], scene, shopper)
            for name, table in self._tables.items():
                table.add(
                    LIVE_KINDS[name].key(about),
                    np.full(of.size, SIGNALS.index(signal), np.uint8),
                    now_s // 60,
                )
        none, zero = np.zeros(shown.size, np.bool_), np.zeros(shown.size, np.uint64)
        at_s = np.full(shown.size, now_s)
        self._ranker.learn(
            Samples(
                at_s,
                np.repeat(shopper, shown.size),
                self._keys.items[shown],
                self._keys.categories[shown],
                scenes=np.repeat(scene, shown.size),
                answers=np.ones(shown.size, np.uint64),
                served_s=at_s,
                positions=np.arange(1, shown.size + 1, dtype=np.int32),
                weathers=zero,
                clicked=clicked,
                carted=none,
                purchased=none,
                regions=zero,
                crowds=zero,
            )
        )


def click_rates(page: Page) -> np.ndarray:
    """float64[visits]: of pages before and after the shopper likes other categories."""
    draw = np.random.default_rng(7)
    order = draw.permutation(CATEGORIES)
    tastes = np.zeros((2, CATEGORIES), np.bool_)
    tastes[0, order[:4]] = tastes[1, order[4:8]] = True
    return np.array(
        [
            page.visit(visit, tastes[int(visit >= BEFORE)], draw.random(ITEMS.size))
            for visit in range(BEFORE + AFTER)
        ]
    )


@pytest.mark.slow
def test_a_page_follows_a_change_of_taste(tmp_path: Path) -> None:
    categories = np.repeat(np.arange(1, CATEGORIES + 1), PER_CATEGORY).tolist()
    catalogue = make_catalogue(tmp_path, categories)
    rates = {}
    for name, learned, follows in (("without", False, False), ("with", True, True), ("slow", True, False)):
        folder = tmp_path / name
        folder.mkdir()
        rates[name] = click_rates(Page(catalogue, folder, learned=learned, follows=follows))

    def rate(name: str, begin: int, end: int) -> float:
        return float(rates[name][BEFORE + begin : BEFORE + end].mean())

    assert rate("with", -100, 0) > rate("without", -100, 0) + 0.1
    assert rate("with", -100, 0) > rate("slow", -100, 0) - 0.02, "to follow changes costs nothing before one"
    assert rate("with", 10, 30) > rate("without", 10, 30) + 0.1
    assert rate("with", 10, 30) > rate("slow", 10, 30) + 0.05
    assert rate("with", 30, 60) > rate("without", 30, 60) + 0.1
