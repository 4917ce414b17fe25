"""The scorer `online`: the published version's log-odds, as a bounded change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from environment.board import Surroundings
from learning.ranker.ranker import OnlineRanker
from learning.ranker.settings import OnlineRankerSettings
from learning.stream.samples import Samples
from pipeline.candidates import Candidates, unscored
from router.query_features.online_model import FEATURE
from router.ranking.online import OnlineSettings, open_scorer
from router.ranking.scorer_kind import ScorerContext
from snapshot.catalogue import Catalogue
from state.live_counters.keys import CatalogueKeys, text_key
from state.live_model.weights import OnlineModel
from tests.recall.small_shop import NOW, make_catalogue, make_query


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder: Path = tmp_path_factory.mktemp("catalogue")
    return make_catalogue(folder, [1, 1, 2, 2])


def candidates(*items: int) -> Candidates:
    count = len(items)
    return unscored(
        np.array(items, np.int32),
        np.ones(count, np.uint32),
        np.zeros(count, np.float32),
        np.zeros(count, np.int32),
    )


def learned(catalogue: Catalogue, shopper: str, likes: int, weather: str = "") -> OnlineModel:
    """A version that has seen a shopper click the items of one category, under alerts in half of the cases.

    `weather`: those alerts; the other half saw no alert, and clicked nothing then.
    """
    keys = CatalogueKeys.of(catalogue)
    items = np.tile(np.arange(1, 5), 100)
    count = items.size
    none, no_alerts = np.zeros(count, np.bool_), np.zeros(count, np.uint64)
    half = np.arange(count) // 4 % 2 == 0
    ranker = OnlineRanker(OnlineRankerSettings(bits=12))
    ranker.learn(
        Samples(
            np.full(count, NOW),
            np.full(count, text_key(shopper), np.uint64),
            keys.items[items],
            keys.categories[items],
            scenes=np.full(count, text_key("home"), np.uint64),
            answers=np.ones(count, np.uint64),
            served_s=np.full(count, NOW),
            positions=np.ones(count, np.int32),
            weathers=np.where(half, np.uint64(text_key(weather)), np.uint64(0)) if weather else no_alerts,
            clicked=(catalogue.category[items] == likes) & (half if weather else True),
            carted=none,
            purchased=none,
            regions=np.zeros(count, np.uint64),
            crowds=np.zeros(count, np.uint64),
        )
    )
    version, _ = ranker.next_version()
    assert version is not None
    return version


def scored(
    catalogue: Catalogue,
    model: OnlineModel,
    found: Candidates,
    shopper: str = "u1",
    most: float = 1.0,
    alerts: tuple[str, ...] = (),
) -> tuple[list[float], list[float], tuple[str, str]]:
    scorer = open_scorer(ScorerContext(catalogue, {}), OnlineSettings(most=most))
    features = {"online_model": model, "surroundings": Surroundings("Bonn", alerts)}
    query = replace(make_query(), features=features, now=NOW, scene="home", user_id=shopper)
    columns = asyncio.run(scorer.score(query, found))
    assert tuple(columns) == ("score", "lift")
    return columns["score"].tolist(), columns["lift"].tolist(), scorer.model(query)


def test_what_a_shopper_clicks_is_lifted_for_this_shopper_more_than_for_others(catalogue: Catalogue) -> None:
    model = learned(catalogue, "u1", likes=2)
    score, lift, version = scored(catalogue, model, candidates(1, 3, 2, 4), most=10.0)
    assert min(score[1], score[3]) > 0.5 > max(score[0], score[2])
    assert sum(lift) == pytest.approx(0, abs=1e-4)
    _, of_another, _ = scored(catalogue, model, candidates(1, 3, 2, 4), "u2", most=10.0)
    assert lift[1] > of_another[1] > 0
    assert version == ("online", "400")


def test_what_is_clicked_under_an_alert_is_lifted_under_it(catalogue: Catalogue) -> None:
    model = learned(catalogue, "u1", likes=2, weather="haze")
    _, hazy, _ = scored(catalogue, model, candidates(1, 3), "u2", most=10.0, alerts=("haze",))
    _, clear, _ = scored(catalogue, model, candidates(1, 3), "u2", most=10.0)
    _, hot, _ = scored(catalogue, model, candidates(1, 3), "u2", most=10.0, alerts=("heat",))
    assert hazy[1] > clear[1] + 0.2
    assert hot == pytest.approx(clear, abs=0.2)


def test_the_change_is_bounded(catalogue: Catalogue) -> None:
    model = learned(catalogue, "u1", likes=2)
    assert scored(catalogue, model, candidates(1, 3), most=0.25)[1] == [-0.25, 0.25]


def test_without_a_version_nothing_is_moved(catalogue: Catalogue) -> None:
    score, lift, version = scored(catalogue, FEATURE.default, candidates(1, 2, 3))
    assert score == [0.5, 0.5, 0.5]
    assert lift == [0, 0, 0]
    assert version == ("", "")
    assert scored(catalogue, FEATURE.default, candidates())[1] == []
