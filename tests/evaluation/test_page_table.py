"""Which rows the table of served pages has, and that a scene's row went through its pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evaluation.baselines import ItemCf
from evaluation.page_table import PageTables, ServedPages
from evaluation.peer_settings import EaseSettings, PeersSettings
from evaluation.queries import test_shoppers
from evaluation.served_scene import ServedScene
from evaluation.settings import EvaluationSettings
from models.interaction_log import InteractionLog
from pipeline.candidates import Candidates
from pipeline.stages import EMPTY_RECALL
from recall.channel import Recalled
from recall.query import Query
from recall.registry import CHANNELS
from recall.triggers import TriggerSettings
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.weights import SceneShift, default_weights
from router.rerank.discovery import DiscoverySettings
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, read_scenes
from router.scenes.table_settings import TablesSettings
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
NOTHING_TO_BOOST = "the row lightgbm, counts is left out: nobody took what it would learn of"
"""What is said of shops where everything was taken before the days that the boosted trees learn of."""


class InOrder:
    """Recalls items 1, 2, 3, … for everybody."""

    name = "hot"

    async def recall(self, query: Query, k: int) -> Recalled:
        items = np.arange(1, min(k, ITEMS) + 1, dtype=np.int32)
        return Recalled(items, np.ones(len(items), np.float32), np.zeros(len(items), np.int32))


class Waiting:
    """Recalls nothing, as `context` does for shoppers who look for nothing."""

    name = "waiting"

    async def recall(self, query: Query, k: int) -> Recalled:
        return EMPTY_RECALL


@pytest.fixture
def served(tmp_path: Path) -> ServedPages:
    """Shoppers 1 and 2 bought item 1 an hour before the cut, and take items 2 and 12 after it."""
    return served_after([1], NOW - 3600, tmp_path)


def served_after(
    items: Sequence[int], ts: int, tmp_path: Path, later: Sequence[tuple[int, int, int, int]] = ()
) -> ServedPages:
    """Shoppers 1 and 2 bought these items at `ts`, and take items 2 and 12 after the cut; `later` follows."""
    bought = [(user, item, PURCHASE, ts) for user in (1, 2) for item in items]
    taken = [*((user, item, PURCHASE, NOW + 60) for user in (1, 2) for item in (2, 12)), *later]
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
        {"hot": InOrder(), "waiting": Waiting()},
        {},
        tmp_path / "tables",
        ItemCf.fit(log, NOW, settings.item_cf),
    )


def measured(served: ServedPages, scenes: list[ServedScene]) -> PageTables:
    users = pl.DataFrame({"user": np.array([1, 2], np.int32)})
    shoppers = test_shoppers(served.log, users, NOW, 9, TriggerSettings(), np.random.default_rng(0))
    settings = EvaluationSettings(peers=PeersSettings(ease=EaseSettings(max_items=2)))
    return served.measure(scenes, shoppers, settings)


def test_a_scene_passes_its_filters_and_a_channel_does_not(served: ServedPages) -> None:
    tables = measured(served, [HOME])
    rows = tables.pages
    # The page starts with item 2, since item 1 was bought an hour ago, and has room for item 11.
    assert rows["home"]["mrr"] == 1
    assert rows["home"]["taken_before"] == 0
    assert rows["hot"]["mrr"] == 0.5
    assert rows["hot"]["taken_before"] == pytest.approx(1 / 10)
    assert rows["hot"]["recall@10"] == 0.5
    assert rows["gp_topfreq"]["taken_before"] == pytest.approx(1 / 10)
    # A scene that does not rank has no second row, and a channel that recalls nothing none.
    assert list(rows)[:3] == ["home", "hot", "popularity"]
    assert tables.notes == [NOTHING_TO_BOOST]
    assert tables.reliability == {}


def test_discovery_raises_the_recall_of_new_items(tmp_path: Path) -> None:
    rerank = {"discovery": DiscoverySettings(share=0.1)}
    discovering = ServedScene("discovering", HOME.settings.model_copy(update={"rerank": rerank}), {}, {})
    rows = measured(served_after(range(1, 12), NOW - 90_000, tmp_path), [HOME, discovering]).pages
    # Item 12, which nobody took before, is beyond the page of ten; discovery gives it the tenth slot.
    assert (rows["home"]["new_recall@10"], rows["discovering"]["new_recall@10"]) == (0, 1)
    assert (rows["home"]["taken_before"], rows["discovering"]["taken_before"]) == (1, 0.9)
    assert (rows["home"]["mrr"], rows["discovering"]["mrr"]) == (0.5, 0.5)


def test_peers_show_only_what_is_in_stock(served: ServedPages) -> None:
    rows = measured(served, [HOME]).pages
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
    again = ServedPages(source, log, served.channels, {}, served.tables, served.item_cf)
    missing, note = measured(again, [HOME]).notes
    assert missing == NOTHING_TO_BOOST
    assert "ease scores 2 of 4 items" in note
    assert "evaluation.peers.ease.max_items" in note


MERGED = read_scenes(
    b"""
scenes:
  home:
    channels: {hot: {}}
    ranking: {scorers: {triton: {}, logistic: {}}, merge: {log_odds: {}}}
  plain: {channels: {hot: {}}}
  own: {channels: {hot: {}}, ranking: {scorers: {logistic: {}}}}
""",
    "scenes.yaml",
    KnownNames(CHANNELS),
)


class LastFirst:
    """A model whose probability rises with the item; or, not being one, its number."""

    def __init__(self, *, probability: bool = True) -> None:
        self._divisor = 2 * ITEMS if probability else 1

    def ranked(self, query: Query, candidates: Candidates) -> np.ndarray:
        return (candidates.items / self._divisor).astype(np.float32)


def merged(name: str) -> ServedScene:
    scene = MERGED.by_name[name]
    return ServedScene(name, scene, tables_of([scene]), TablesSettings().sections())


def test_a_merged_scene_has_a_row_without_the_model_and_its_scores_have_rows(
    served: ServedPages,
) -> None:
    tables = measured(replace(served, models={"bst": LastFirst()}), [merged("home")])
    assert list(tables.pages)[:4] == ["home", "home, without the model", "home, recall order", "hot"]
    # By the model item 12 comes first; the default weights alone keep recall order, where item 2 is second.
    assert tables.pages["home"]["mrr"] == 1
    assert tables.pages["home, without the model"]["mrr"] == 0.5
    assert [name.removeprefix("home, ") for name in tables.reliability] == [
        *(f"tenth {number}" for number in range(1, 11)),
        "all",
    ]
    assert tables.reliability["home, all"]["n"] == 2 * ITEMS
    assert tables.reliability["home, all"]["observed"] == pytest.approx(2 / ITEMS)
    assert tables.notes == [NOTHING_TO_BOOST]


def test_scenes_of_one_kind_of_scorer_have_no_row_without_it() -> None:
    assert merged("plain").without_models() is None
    assert merged("own").without_models() is None
    without = merged("home").without_models()
    assert without is not None
    assert list(without.settings.ranking.scorers) == ["logistic"]


def test_scores_that_are_no_probabilities_are_said_to_be_none(served: ServedPages) -> None:
    tables = measured(replace(served, models={"bst": LastFirst(probability=False)}), [merged("plain")])
    assert tables.reliability == {}
    assert tables.notes == [
        "the scores of plain are no probabilities and have no reliability",
        NOTHING_TO_BOOST,
    ]


def test_the_days_of_the_fit_are_beside_those_of_the_test(served: ServedPages, tmp_path: Path) -> None:
    fitted = tmp_path / "fitted"
    fitted.mkdir()
    names = input_names(("hot",))
    default_weights(("hot",), names).model_copy(update={"window_days": 2.0}).write(fitted)
    source = replace(served.source, fitted={"logistic_ranker": fitted})
    tables = measured(replace(served, source=source, models={"bst": LastFirst()}), [merged("home")])
    (note,) = (said for said in tables.notes if said != NOTHING_TO_BOOST)
    assert "are for 2.0 days, and so are the takes of their reliability; the test range has 0.0" in note


def test_what_moves_the_scores_of_a_scene_is_beside_their_reliability(
    served: ServedPages, tmp_path: Path
) -> None:
    fitted = tmp_path / "fitted"
    fitted.mkdir()
    shifts = {"home": SceneShift(alone=0.5, beside=0.25, taken=1_200), "elsewhere": SceneShift(alone=1.0)}
    weights = default_weights(("hot",), input_names(("hot",)))
    weights.model_copy(update={"taken": 50, "scene_shifts": shifts}).write(fitted)
    source = replace(served.source, fitted={"logistic_ranker": fitted})
    shop = replace(served, source=source, models={"bst": LastFirst()})
    tables = measured(shop, [merged("home")])
    (note,) = (said for said in tables.notes if said != NOTHING_TO_BOOST)
    assert note.startswith("home: odds of scores times 1.28, without the model times 1.65, ")
    assert "1,200 of them taken" in note
    weights.model_copy(update={"taken": 50}).write(fitted)
    plain = measured(replace(shop, tables=tmp_path / "others"), [merged("home")])
    assert plain.notes == [NOTHING_TO_BOOST]
    assert plain.pages["home"]["ndcg@10"] == tables.pages["home"]["ndcg@10"]
    promised = [each.reliability["home, all"]["predicted"] for each in (plain, tables)]
    assert promised[0] < promised[1]


def test_takes_after_the_window_of_the_fit_count_for_pages_and_not_for_scores(tmp_path: Path) -> None:
    fitted = tmp_path / "fitted"
    fitted.mkdir()
    weights = default_weights(("hot",), input_names(("hot",)))
    shop = served_after([1], NOW - 3600, tmp_path, later=[(1, 9, PURCHASE, NOW + 20 * 86_400)])
    source = replace(shop.source, fitted={"logistic_ranker": fitted})
    observed, recall = {}, {}
    for days in (2.0, 30.0):
        weights.model_copy(update={"window_days": days}).write(fitted)
        tables = measured(replace(shop, source=source, models={"bst": LastFirst()}), [merged("home")])
        observed[days] = tables.reliability["home, all"]["observed"]
        recall[days] = tables.pages["home"]["recall@10"]
    assert observed == {2.0: pytest.approx(2 / ITEMS), 30.0: pytest.approx(2.5 / ITEMS)}
    assert recall[2.0] == recall[30.0]


def test_without_scenes_there_is_no_table(served: ServedPages) -> None:
    assert measured(served, []) == PageTables()


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
