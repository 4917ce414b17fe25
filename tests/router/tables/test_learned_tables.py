"""Learned tables of components: built for the scenes that need them, opened with the snapshot, refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline import runner
from pipeline.metrics import NoMetrics
from recall.channel import Services
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from registration.registry import RegistrationError
from router.engine.engine import EngineBuilder
from router.engine.live import LiveEngine
from router.engine.warm_up import warm_up
from router.filters.registry import FILTERS
from router.scenes.components import registered_tables, tables_of
from router.scenes.describe import describe
from router.scenes.load import KnownNames, Scenes, read_scenes
from router.scenes.problems import SettingsError
from router.scenes.settings import SceneSettings
from router.scenes.table_settings import TablesSettings
from router.scenes.watch import SceneWatch
from router.tables.files import TABLES_FOLDER, build_tables, open_tables
from snapshot import SnapshotError
from testing.served_shop import ServedShop, make_shop
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_query, make_source
from tests.router.engine.conftest import embed
from tests.router.tables.shop_parts import RARE, SOURCE, filter_of, registered

TAKEN = [(1, 1, NOW), (2, 1, NOW - 5), (3, 1, NOW), (1, 2, NOW), (2, 2, NOW), (3, 2, NOW + DAY)]
LOG = [(user, item, 2, ts) for user, item, ts in TAKEN]
NOTHING = "scenes: {home: {ranking: {enabled: false}}}"
WITH_FILTER = "scenes: {home: {ranking: {enabled: false}, filters: {rare: {}}}}"
WITH_RERANKER = "scenes: {home: {ranking: {enabled: false}, rerank: {rare_last: {}}}}"
WITH_FUSION = (
    "scenes: {home: {ranking: {enabled: false}, channels: {category_hot: {}, hot: {}},"
    " fusion: {first_only: {}}}}"
)


@pytest.fixture(autouse=True)
def parts() -> Iterator[None]:
    with registered():
        yield


def read(text: str) -> Scenes:
    return read_scenes(text.encode(), "scenes.yaml", KnownNames(CHANNELS))


def builder() -> EngineBuilder:
    return EngineBuilder(RecallSettings(), Services(lambda model: embed), {}, NoMetrics())


def with_tables(shop: ServedShop) -> str:
    """Publishes a snapshot with the table; its id."""
    return shop.publish(seed=2, tables=tables_of(read(WITH_FILTER).by_name.values()))


def test_scenes_need_the_tables_of_the_components_they_name() -> None:
    assert registered_tables()["rare_items"] is RARE
    assert tables_of(read(NOTHING).by_name.values()) == {}
    for text in (WITH_FILTER, WITH_RERANKER):
        assert tables_of(read(text).by_name.values()) == {"rare_items": RARE}


def test_a_table_is_built_from_what_was_before_now_and_opened_by_its_settings(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 1, 1])
    settings = TablesSettings.model_validate({"rare_items": {"least": 3}}).sections()
    told: list[tuple[str, float]] = []
    rows = build_tables(
        {"rare_items": RARE},
        make_source(catalogue, LOG),
        tmp_path / "tables",
        settings,
        lambda stage, share: told.append((stage, share)),
    )
    assert rows == {"rare_items": {"rare": 2}}
    assert told == [("table: rare_items", 0.0), ("tables", 1.0)]
    opened = open_tables({"rare_items": RARE}, tmp_path / "tables", catalogue, settings)
    assert opened["rare_items"].tolist() == [True, False, True, True]
    lenient = TablesSettings.model_validate({"rare_items": {"least": 1}}).sections()
    build_tables({"rare_items": RARE}, make_source(catalogue, LOG), tmp_path / "lenient", lenient)
    opened = open_tables({"rare_items": RARE}, tmp_path / "lenient", catalogue, lenient)
    assert opened["rare_items"].tolist() == [True, False, False, True]


def test_where_no_scene_needs_a_table_the_snapshot_has_no_folder_of_tables(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1])
    assert build_tables({}, make_source(catalogue, []), tmp_path / "tables", {}) == {}
    assert not (tmp_path / "tables").exists()
    assert (
        open_tables({"rare_items": RARE}, tmp_path / "tables", catalogue, TablesSettings().sections()) == {}
    )


def test_a_torn_table_and_one_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 1, 1])
    settings = TablesSettings().sections()
    other = tmp_path / "other"
    other.mkdir()
    build_tables({"rare_items": RARE}, make_source(catalogue, LOG), tmp_path / "tables", settings)
    with pytest.raises(SnapshotError, match="rare"):
        open_tables({"rare_items": RARE}, tmp_path / "tables", make_catalogue(other, [1]), settings)
    file = tmp_path / "tables" / "rare_items" / "rare.npy"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(SnapshotError, match="rare"):
        open_tables({"rare_items": RARE}, tmp_path / "tables", catalogue, settings)


def test_settings_of_tables_are_checked_by_name() -> None:
    assert TablesSettings().rare_items.least == 30
    with pytest.raises(ValidationError, match="rare_itmes"):
        TablesSettings.model_validate({"rare_itmes": {}})
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TablesSettings.model_validate({"rare_items": {"least": 0}})


def test_two_tables_of_one_name_are_refused_with_both_components() -> None:
    FILTERS.add("rarer", filter_of(replace(RARE)), "other_shop")
    try:
        with pytest.raises(
            RegistrationError,
            match=r"two tables are named rare_items: one of the filter rare of my_shop and one of the filter "
            r"rarer of other_shop",
        ):
            registered_tables()
    finally:
        FILTERS.remove("other_shop")
    FILTERS.add("rarer", filter_of(RARE), "other_shop")
    try:
        assert registered_tables()["rare_items"] is RARE
    finally:
        FILTERS.remove("other_shop")


async def test_components_work_on_the_tables_of_the_snapshot(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    with_tables(shop)
    snapshot = shop.snapshots.open_current()
    rare = np.load(snapshot.path / TABLES_FOLDER / "rare_items" / "rare.npy")
    assert rare[1:].any()
    assert not rare[1:].all()
    query = replace(make_query(), now=shop.dataset.manifest.time_range[1])
    pages = {}
    for text in (NOTHING, WITH_FILTER, WITH_RERANKER):
        engine = builder().build(snapshot, read(text))
        await warm_up(engine)
        run = runner.run(engine.pipelines["home"], query, 100, time.monotonic() + 30, time.monotonic)
        pages[text] = (await run).items.items
    everything = pages[NOTHING]
    common = everything[~rare[everything]]
    assert 0 < common.size < everything.size == 100
    assert not rare[pages[WITH_FILTER]].any()
    np.testing.assert_array_equal(pages[WITH_FILTER][: common.size], common)
    reranked = pages[WITH_RERANKER]
    np.testing.assert_array_equal(reranked[: pages[WITH_FILTER].size], pages[WITH_FILTER])
    assert rare[reranked[pages[WITH_FILTER].size :]].all()


def test_a_scene_chooses_its_fusion(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    scenes = read(WITH_FUSION)
    engine = builder().build(shop.snapshots.open_current(), scenes)
    pipeline = engine.pipelines["home"]
    assert pipeline.fusion.channels == ("category_hot", "hot")
    assert describe(scenes["home"], pipeline)["fusion"]["name"] == "first_only"
    plain = describe(scenes["home"].model_copy(update={"fusion": SceneSettings().fusion}), pipeline)
    assert plain["fusion"] == {"name": "quota", "candidates": 300, "oversample": 1.5}


@pytest.mark.parametrize(
    ("fusion", "problem"),
    [
        (
            "{quotas: {}}",
            "scenes.a.fusion.quotas: unknown fusion; expected one of first_only, quota, reciprocal_rank; "
            "did you",
        ),
        ("{quota: {share: 1}}", "scenes.a.fusion.quota.share: unknown key"),
        ("{}", "scenes.a.fusion: one fusion is expected, got none"),
        ("{quota: {}, first_only: {}}", "scenes.a.fusion: one fusion is expected, got quota, first_only"),
        ("[quota]", "scenes.a.fusion: a mapping of fusion names"),
    ],
)
def test_a_scene_has_one_fusion_that_is_registered(fusion: str, problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(f"scenes: {{a: {{fusion: {fusion}}}}}")
    (only,) = refused.value.problems
    assert only.startswith(problem)


@pytest.mark.parametrize(
    ("text", "component"), [(WITH_FILTER, "filters.rare"), (WITH_RERANKER, "rerank.rare_last")]
)
def test_a_scene_is_refused_where_the_snapshot_lacks_its_table(
    tmp_path: Path, text: str, component: str
) -> None:
    shop = make_shop(tmp_path)
    with pytest.raises(SettingsError) as refused:
        LiveEngine(builder(), shop.snapshots.open_current(), read(text))
    assert refused.value.problems == (
        f"scenes.home.{component}: needs the table rare_items, which the snapshot does not have; run "
        "`shopfront build`",
    )


def test_a_live_edit_is_refused_until_a_snapshot_has_its_table(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(tmp_path)
    shop.scenes.write_text(NOTHING)
    live = LiveEngine(builder(), shop.snapshots.open_current(), read(NOTHING))
    watch = SceneWatch(shop.scenes, parse_with(read), read(NOTHING), live.change_scenes)
    shop.scenes.write_text(WITH_FILTER)
    with caplog.at_level(logging.ERROR):
        look(watch, 4)
    assert watch.status.refused is not None
    assert "scenes.home.filters.rare: needs the table rare_items" in watch.status.refused
    assert caplog.text.count("needs the table") == 1
    assert [stage.name for stage in live.current.pipelines["home"].filters] == ["excluded", "must", "blocked"]

    with_tables(shop)
    live.take_over(live.open(shop.snapshots.open_current()))
    look(watch, 4)
    assert watch.status.refused is not None, "without a retry, the same content is not considered again"
    watch.retry()
    look(watch, 4)
    assert watch.status.refused is None
    assert [stage.name for stage in live.current.pipelines["home"].filters] == [
        "excluded",
        "must",
        "blocked",
        "rare",
    ]
    asyncio.run(warm_up(live.current))

    shop.publish(seed=3)
    with pytest.raises(SettingsError, match="needs the table rare_items"):
        live.open(shop.snapshots.open_current())


def parse_with(reader: Callable[[str], Scenes]) -> Callable[[bytes], Scenes]:
    return lambda content: reader(content.decode())


def look(watch: SceneWatch, times: int) -> None:
    for _ in range(times):
        watch.look()


def test_a_kind_names_the_query_features_it_reads() -> None:
    assert FILTERS["rare"].features == ("impressions",)
    assert FILTERS["adult"].features == ()
    assert FILTERS.source("rare") == SOURCE
