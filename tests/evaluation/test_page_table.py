"""Which rows the table of served pages has, and that a scene's row went through its pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evaluation.baselines import ItemCf
from evaluation.page_table import ServedPages
from evaluation.peer_settings import EaseSettings, PeersSettings
from evaluation.queries import test_shoppers
from evaluation.served_scene import ServedScene
from evaluation.settings import EvaluationSettings
from models.interaction_log import InteractionLog
from recall.channel import Recalled
from recall.query import Query
from recall.registry import CHANNELS
from recall.triggers import TriggerSettings
from router.scenes.load import KnownNames, read_scenes
from tests.recall.small_shop import NOW, make_catalogue, make_source

PURCHASE = 5
SCENES = read_scenes(
    b"""
scenes:
  home:
    channels: {hot: {}}
    filters: {already_bought: {window_days: 1.0}}
    ranking: {enabled: false}
""",
    "scenes.yaml",
    KnownNames(CHANNELS),
)
HOME = ServedScene("home", SCENES.by_name["home"], {}, {})
ITEMS = 12


class InOrder:
    """Recalls items 1, 2, 3, … for everybody."""

    name = "hot"

    async def recall(self, query: Query, k: int) -> Recalled:
        items = np.arange(1, min(k, ITEMS) + 1, dtype=np.int32)
        return Recalled(items, np.ones(len(items), np.float32), np.zeros(len(items), np.int32))


@pytest.fixture
def served(tmp_path: Path) -> ServedPages:
    """Shoppers 1 and 2 bought item 1 an hour before the cut, and take items 2 and 12 after it."""
    bought = [(user, 1, PURCHASE, NOW - 3600) for user in (1, 2)]
    taken = [(user, item, PURCHASE, NOW + 60) for user in (1, 2) for item in (2, 12)]
    catalogue = make_catalogue(tmp_path, [1] * ITEMS, out_of_stock=[3, 4])
    whole = make_source(catalogue, [*bought, *taken])
    log = InteractionLog.from_frames(
        whole.events,
        pl.DataFrame({"user": np.array([1, 2], np.int32)}),
        ITEMS,
        np.asarray(catalogue.category),
    )
    settings = EvaluationSettings()
    return ServedPages(
        make_source(catalogue, bought, now=NOW - 1),
        log,
        {"hot": InOrder()},
        {},
        tmp_path / "tables",
        ItemCf.fit(log, NOW, settings.item_cf),
    )


def measured(served: ServedPages, scenes: list[ServedScene]) -> tuple[dict[str, dict[str, float]], list[str]]:
    users = pl.DataFrame({"user": np.array([1, 2], np.int32)})
    shoppers = test_shoppers(served.log, users, NOW, 9, TriggerSettings(), np.random.default_rng(0))
    settings = EvaluationSettings(peers=PeersSettings(ease=EaseSettings(max_items=2)))
    return served.measure(scenes, shoppers, settings)


def test_a_scene_passes_its_filters_and_a_channel_does_not(served: ServedPages) -> None:
    rows, notes = measured(served, [HOME])
    # The page starts with item 2, since item 1 was bought an hour ago, and has room for item 11.
    assert rows["home"]["mrr"] == 1
    assert rows["home"]["taken_before"] == 0
    assert rows["hot"]["mrr"] == 0.5
    assert rows["hot"]["taken_before"] == pytest.approx(1 / 10)
    assert rows["hot"]["recall@10"] == 0.5
    assert rows["gp_topfreq"]["taken_before"] == pytest.approx(1 / 10)
    # A scene that does not rank has no second row.
    assert list(rows)[:3] == ["home", "hot", "popularity"]
    assert notes == []


def test_peers_show_only_what_is_in_stock(served: ServedPages) -> None:
    rows, _ = measured(served, [HOME])
    # Exactly ten are; with items 3 and 4 the page of ten would end before item 12.
    assert rows["popularity"]["distinct"] == 10
    assert rows["popularity"]["recall@10"] == 1


def test_what_ease_leaves_out_is_said(served: ServedPages) -> None:
    source = served.source
    more = make_source(source.catalogue, [(1, item, PURCHASE, NOW - 90_000) for item in (4, 5, 6)])
    log = InteractionLog.from_frames(
        pl.concat([source.events, more.events, _after(served)]),
        pl.DataFrame({"user": np.array([1, 2], np.int32)}),
        ITEMS,
        np.asarray(source.catalogue.category),
    )
    _, notes = measured(ServedPages(source, log, served.channels, {}, served.tables, served.item_cf), [HOME])
    assert len(notes) == 1
    assert "ease scores 2 of 4 items" in notes[0]
    assert "evaluation.peers.ease.max_items" in notes[0]


def test_without_scenes_there_is_no_table(served: ServedPages) -> None:
    assert measured(served, []) == ({}, [])


def _after(served: ServedPages) -> pl.DataFrame:
    behaviours = served.log.behaviours
    frame = pl.DataFrame(
        {
            "user": behaviours.user,
            "item": behaviours.item,
            "event": behaviours.event,
            "ts": behaviours.ts,
        }
    )
    return frame.filter(pl.col("ts") >= NOW)
