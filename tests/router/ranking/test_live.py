"""The scorer `live`: rates as published, smoothed, and the change of log-odds."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learning.stream.counter_table import CounterTable
from pipeline.candidates import Candidates, unscored
from recall.query import Query
from router.query_features.live_counters import FEATURE
from router.ranking.live import COLUMNS, LIFT, LiveSettings, open_scorer
from router.ranking.scorer_kind import ScorerContext
from snapshot import write_catalogue
from snapshot.catalogue import Catalogue
from state.live_counters.counter_file import open_counters
from state.live_counters.decay import HALF_LIVES_S, SIGNALS
from state.live_counters.keys import CatalogueKeys, text_key
from state.live_counters.kinds import LIVE_KINDS, Subjects
from state.live_counters.live_counters import LiveCounters
from state.live_counters.profile_keys import ProfileKeys
from tests.recall.small_shop import make_catalogue, make_query
from tests.snapshot.contents import columns as empty_columns

NOW_TICK = 30_000_000
NOW = NOW_TICK * 60
PRIOR = 50.0


def candidates(*items: int) -> Candidates:
    count = len(items)
    return unscored(
        np.array(items, np.int32),
        np.ones(count, np.uint32),
        np.zeros(count, np.float32),
        np.zeros(count, np.int32),
    )


def published(folder: Path, catalogue: Catalogue, *rows: tuple[int, str, int, int, str, str]) -> LiveCounters:
    """Counters of (item, signal, count, minutes ago, scene, shopper), oldest first."""
    folder.mkdir(exist_ok=True)
    keys = CatalogueKeys.of(catalogue)
    tables = {
        name: CounterTable(folder, name, kind.most_rows, kind.most_impressions)
        for name, kind in LIVE_KINDS.items()
    }
    for item, signal, count, ago, scene, shopper in rows:
        subjects = Subjects(
            np.repeat(keys.items[item], count),
            np.repeat(keys.categories[item], count),
            np.full(count, text_key(scene), np.uint64),
            np.full(count, text_key(shopper), np.uint64),
        )
        for name, table in tables.items():
            table.add(
                LIVE_KINDS[name].key(subjects),
                np.full(count, SIGNALS.index(signal), np.uint8),
                NOW_TICK - ago,
            )
    return LiveCounters({name: open_counters(folder / table.file) for name, table in tables.items()})


def scored(
    catalogue: Catalogue, live: LiveCounters, query: Query, found: Candidates, **settings: float
) -> dict[str, np.ndarray]:
    scorer = open_scorer(ScorerContext(catalogue, {}), LiveSettings(prior=PRIOR, **settings))
    query = replace(query, features={"live_counters": live}, now=NOW, scene="home", user_id="u1")
    return dict(asyncio.run(scorer.score(query, found)))


def test_without_a_learner_nothing_is_moved(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 1, 2])
    columns = scored(catalogue, FEATURE.default, make_query(), candidates(3, 1))
    assert tuple(columns) == COLUMNS
    assert all(column.dtype == np.float32 and column.shape == (2,) for column in columns.values())
    assert not any(column.any() for column in columns.values())
    assert all(
        column.size == 0 for column in scored(catalogue, FEATURE.default, make_query(), candidates()).values()
    )


def test_rates_are_smoothed_by_the_category_and_the_shop(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 1, 2])
    live = published(
        tmp_path,
        catalogue,
        (1, "impressions", 100, 60, "home", "u1"),
        (1, "clicks", 20, 60, "home", "u1"),
        (2, "impressions", 300, 0, "cart", "u2"),
        (1, "views", 40, 0, "", "u2"),
        (1, "purchases", 10, 0, "", "u2"),
    )
    columns = scored(catalogue, live, make_query(), candidates(1, 2, 3))
    # A half-life ago.
    shop = 10 / (50 + 300 + 20)
    category = (10 + PRIOR * shop) / (350 + PRIOR)
    item = (10 + PRIOR * category) / (50 + PRIOR)
    untouched = PRIOR * shop / PRIOR
    assert columns["category_ctr_1h"].tolist() == pytest.approx([category, category, untouched], rel=1e-5)
    assert columns["item_ctr_1h"].tolist() == pytest.approx(
        [item, PRIOR * category / (300 + PRIOR), untouched], rel=1e-5
    )
    assert columns["item_scene_ctr_1h"][0] == pytest.approx((10 + PRIOR * item) / (50 + PRIOR), rel=1e-5)
    assert columns["item_scene_ctr_1h"][1] == pytest.approx(columns["item_ctr_1h"][1], rel=1e-5)
    own = (10 + PRIOR * category) / (50 + PRIOR)
    assert columns["shopper_category_ctr_1h"][:2].tolist() == pytest.approx([own, own], rel=1e-5)
    cvr_of_shop = 10 / 60
    cvr = (10 + PRIOR * (10 + PRIOR * cvr_of_shop) / (40 + PRIOR)) / (40 + PRIOR)
    assert columns["item_cvr_7d"][0] == pytest.approx(cvr, rel=1e-5)
    assert columns["item_popularity_1d"].tolist() == pytest.approx([math.log1p(40 + 5 * 10), 0, 0], rel=1e-5)
    day = 2 ** (-1 / 24)
    shop_day = 20 * day / (100 * day + 300 + 20)
    category_day = (20 * day + PRIOR * shop_day) / (100 * day + 300 + PRIOR)
    assert columns["item_ctr_1d"][0] == pytest.approx(
        (20 * day + PRIOR * category_day) / (100 * day + PRIOR), rel=1e-4
    )


def test_an_item_that_is_clicked_more_than_in_the_week_is_lifted_within_bounds(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 1, 1])
    week = [(item, "impressions", 5_000, 3_000, "home", "u2") for item in (1, 2, 3)]
    clicks = [(item, "clicks", 500, 3_000, "home", "u2") for item in (1, 2, 3)]
    hour = [(item, "impressions", 500, 0, "home", "u2") for item in (1, 2, 3)]
    now = [(1, "clicks", 250, 0, "home", "u2"), (2, "clicks", 50, 0, "home", "u2")]
    live = published(tmp_path, catalogue, *week, *clicks, *hour, *now)
    lift = scored(catalogue, live, make_query(), candidates(3, 2, 1), interest=0.0, most=5.0)[LIFT]
    assert lift[0] < lift[1] < 0.2 < lift[2] < 3
    cut = scored(catalogue, live, make_query(), candidates(3, 2, 1), interest=0.0, most=0.5)[LIFT]
    assert cut[0] == -0.5
    assert cut[2] == 0.5


def test_a_shopper_is_lifted_towards_the_categories_that_this_shopper_clicks(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 2])
    rows = [
        (item, signal, count, 0, "home", "u2")
        for item in (1, 2)
        for signal, count in (("impressions", 900), ("clicks", 90))
    ]
    own = [
        (1, "impressions", 40, 0, "home", "u1"),
        (2, "impressions", 40, 0, "home", "u1"),
        (2, "clicks", 30, 0, "home", "u1"),
    ]
    lift = scored(catalogue, published(tmp_path, catalogue, *rows, *own), make_query(), candidates(1, 2))[
        LIFT
    ]
    assert lift[0] < -0.2
    assert lift[1] > 0.5


def test_what_a_shopper_does_not_click_any_more_is_lifted_no_more(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 2])
    shop = [(2, "impressions", 9_000, 59, "home", "u2"), (2, "clicks", 900, 59, "home", "u2")]
    liked = [(2, "impressions", 400, 30, "home", "u1"), (2, "clicks", 140, 30, "home", "u1")]
    lately = [(2, "impressions", 5, ago, "home", "u1") for ago in range(8, 0, -1)]
    before = published(tmp_path / "before", catalogue, *shop, *liked)
    after = published(tmp_path / "after", catalogue, *shop, *liked, *lately)

    def lift(live: LiveCounters, turn: float) -> float:
        columns = scored(catalogue, live, make_query(), candidates(2, 1), most=5.0, turn=turn)
        return float(columns[LIFT][0] - columns[LIFT][1])

    assert lift(before, 0.1) > 0.8
    assert lift(after, 0.1) < 0.4
    assert lift(after, 1e-12) > 0.8


def test_rates_of_shops_queries_cities_and_crowds_are_theirs_alone(tmp_path: Path) -> None:
    profiles = {"city": ["Beijing"], "gender": ["f"], "age_band": ["25-34"]}
    columns = empty_columns(2)
    columns["category"][1:] = 1
    columns["shop"][1:] = [1, 2]
    columns["title"] = ["", "a", "b"]
    names = {"category": ["c1"], "shop": ["Ann's", "Bo's"]}
    write_catalogue(tmp_path / "catalogue", ["i1", "i2"], columns, names, profiles)
    catalogue = Catalogue.open(tmp_path / "catalogue")
    keys, people = CatalogueKeys.of(catalogue), ProfileKeys.of(profiles)
    codes = np.array([[1, 1, 1, 0]], np.int32)
    first = np.full(60, 1)
    about = Subjects(
        keys.items[first],
        keys.categories[first],
        *(np.array([text_key(text)], np.uint64) for text in ("home", "u1")),
        keys.shops[first],
        np.array([text_key("lamp")], np.uint64),
        people.regions(codes),
        people.crowds(codes),
    )
    files = {}
    for name in ("shop", "query_category", "region_item", "crowd_item"):
        table = CounterTable(tmp_path, name, 1_000)
        signals = np.repeat([SIGNALS.index("impressions"), SIGNALS.index("clicks")], [40, 20])
        table.add(LIVE_KINDS[name].key(about), signals.astype(np.uint8), NOW_TICK)
        files[name] = open_counters(tmp_path / table.file)
    live = LiveCounters(files)
    rate = 20 / (40 + PRIOR)
    query = replace(make_query(), profile_codes=codes[0], search_query="lamp")
    found = scored(catalogue, live, query, candidates(1, 2))
    assert found["shop_ctr_1h"].tolist() == pytest.approx([rate, 0])
    assert found["region_item_ctr_1d"].tolist() == pytest.approx([rate, 0])
    assert found["crowd_item_ctr_7d"].tolist() == pytest.approx([rate, 0])
    # The category is that of both.
    assert found["query_category_ctr_1h"].tolist() == pytest.approx([rate, rate])
    empty = CounterTable(tmp_path, "item", 1_000)
    tables = LiveCounters({**files, "item": open_counters(tmp_path / empty.file)})
    assert (tables.has("shop"), tables.has("item"), tables.has("category")) == (True, False, False)
    others = replace(query, profile_codes=np.array([0, 1, 0, 0], np.int32), search_query="sofa")
    found = scored(catalogue, live, others, candidates(1, 2))
    for name in ("region_item", "crowd_item", "query_category"):
        assert not found[f"{name}_ctr_1h"].any()


def test_columns_are_of_the_half_lives() -> None:
    assert [name for name in COLUMNS if name.startswith("item_ctr_")] == [
        f"item_ctr_{life}" for life in HALF_LIVES_S
    ]
    assert len(set(COLUMNS)) == len(COLUMNS) == 43
