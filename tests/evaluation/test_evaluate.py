"""The whole evaluation on a made-up shop, from data set and checkpoints to table and JSON."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from evaluation.evaluate import evaluate
from evaluation.page_metrics import HEADS, LOOKS, SETS, WINDOW
from evaluation.reliability import COLUMNS
from evaluation.report import EvaluationReport
from evaluation.scene_fusion import SceneFusion
from evaluation.served_scene import ServedScene
from evaluation.settings import EvaluationSettings
from evaluation.steps import STEPS
from features.profile import PROFILE_FIELDS
from models.bst_settings import BstNetworkSettings
from models.checkpoint import TrainedOn, record_of, save_checkpoint
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.mind_settings import MindNetworkSettings
from models.settings import SampleSettings, TrainingSettings
from models.train_bst import train_bst
from models.train_mind import train_mind
from recall.build import enabled_channels
from recall.context import NAME as CONTEXT
from recall.popularity import PopularityTableSettings
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from router.fusion.quota import QuotaSettings
from router.ranking.anchor_table import ANCHOR_PAIRS, AnchorTableSettings
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, read_scenes
from router.tables.popularity import POPULARITY
from snapshot.dataset import Dataset
from testing.synthetic_shop import synthetic_dataset

SETTINGS = EvaluationSettings(
    carts=300,
    cart_basket_items=2,
    ks=(5, 20),
    ranking_points=200,
    ranking_negatives=20,
    visit_shoppers=10,
    visits=3,
    max_users=40,
    fused_total=20,
    rank_candidates=40,
)
SCENES = read_scenes(
    b"""
scenes:
  home:
    channels: {ranki2i: {}, mind: {}, again: {share: 0.5}, hot: {share: 0}}
    filters: {already_bought: {window_days: 1.0}}
    rerank: {dedup: {}, novelty: {}, fatigue: {}, templates: {}}
  cart:
    cart: {from_state_hours: 24.0}
    channels: {bought_together: {}, ranki2i: {}, hot: {share: 0.1}}
    ranking: {scorers: {anchor: {}}}
  search_companion:
    channels: {context: {}, ranki2i: {}, hot: {share: 0.1}}
    ranking: {scorers: {context: {}}}
  halls:
    channels: {again: {}, hot: {share: 0.1}}
    rerank: {venues: {by: category, items: 2}}
  similar_items:
    channels: {bought_together: {share: 0.9}, hot: {share: 0.1}}
    ranking: {scorers: {anchor: {}}}
  complements:
    channels: {bought_together: {share: 0.9}, hot: {share: 0.1}}
    ranking: {scorers: {anchor: {category_boost: -1.0}}}
""",
    "scenes.yaml",
    KnownNames(CHANNELS),
)
BY_QUOTA = SceneFusion("quota", QuotaSettings(), {})
TABLES = {ANCHOR_PAIRS.name: AnchorTableSettings(), POPULARITY.name: PopularityTableSettings()}
HOME, CART, COMPANION, HALLS, *ABOUT_ITEMS = (
    ServedScene(name, scene, tables_of([scene]), TABLES) for name, scene in SCENES.by_name.items()
)
PEERS = (
    "popularity",
    "gp_topfreq",
    "decayed_frequency",
    "item_cf, all events",
    "tifu_knn",
    "v_sknn",
    "ease",
    "als",
    "lightgbm, counts",
)
# Of what is enabled, the shop lacks what two need: pictures, or outfits.
BUILT = tuple(name for name in enabled_channels(RecallSettings()) if name not in ("similar_look", "outfit"))
QUOTAS = dict.fromkeys(BUILT, 1.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, dict[str, Path]]:
    root = tmp_path_factory.mktemp("shop")
    dataset = synthetic_dataset(root, users=150, items=300, events=15_000)
    log = InteractionLog.from_dataset(dataset)
    features = ItemFeatures.from_catalogue(dataset.catalogue)
    counts = tuple(len(dataset.catalogue.profile_vocab.get(field, ())) for field in PROFILE_FIELDS)
    samples = SampleSettings(positives=4, negatives=8)
    training = TrainingSettings(
        batch_size=64, max_steps=150, evaluate_every=50, validation_points=200, learning_rate=3e-3
    )
    cuts = dataset.manifest.cuts
    bst, result = train_bst(
        log, features, counts, cuts, BstNetworkSettings(dimension=16, hidden=(64, 32)), samples, training
    )
    mind, _ = train_mind(
        log, features, cuts, MindNetworkSettings(dimension=16, interests=2), samples, training
    )
    checkpoints = {}
    for name, network in (("bst", bst), ("mind", mind)):
        record = record_of(
            name,
            network.settings,
            TrainedOn.of(dataset),
            seed=1,
            steps=result.steps,
            metrics={},
            training={},
        )
        checkpoints[name] = save_checkpoint(network, record, root / name)
    return dataset, checkpoints


@pytest.mark.slow
def test_evaluation_end_to_end(trained: tuple[Dataset, dict[str, Path]], tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    report = evaluate(
        *trained,
        RecallSettings(),
        BY_QUOTA,
        QUOTAS,
        SETTINGS,
        lambda *step: seen.append(step),
        anchored=ABOUT_ITEMS,
        scenes=[CART, HOME, COMPANION, HALLS],
        main_scene=HOME.name,
    )
    assert [step for step, _, _ in seen] == [*STEPS, ""]
    assert list(report.ranking) == ["popularity", "item_cf", "bst"]
    assert list(report.recall) == ["popularity", "item_cf", *BUILT, "fused", "fused_bst"]
    assert list(report.channels) == [*BUILT, "fused"]
    assert all(0 <= row["recall@200"] <= 1 for row in report.channels.values())
    for name in BUILT:
        row = report.channels[name]
        assert row["share"] == 1
        assert row["low"] <= row["loss_ndcg@10"] <= row["high"]
    for rows in (report.ranking, report.recall):
        assert all(math.isfinite(value) for row in rows.values() for value in row.values())
    assert report.ranking["bst"]["gauc"] > report.ranking["popularity"]["gauc"]
    # The same 20 items in another order hold the same targets.
    assert report.recall["fused"]["recall@20"] > report.recall["hot"]["recall@20"]

    assert list(report.anchors) == [
        "popularity",
        "item_cf",
        "item_knn",
        "ranki2i",
        "bought_together",
        "similar_items, anonymous",
        "complements, anonymous",
        "similar_items, known shopper",
        "complements, known shopper",
    ]
    for row in report.anchors.values():
        assert 0 <= row["low"] <= row["hr@10"] <= row["high"] <= 1
    served = report.anchors["similar_items, anonymous"]
    assert served["overlap"] < report.anchors["popularity"]["overlap"]
    assert served["same_category"] > report.anchors["popularity"]["same_category"]
    assert served["same_category"] > report.anchors["complements, anonymous"]["same_category"]

    assert list(report.carts) == [
        "popularity",
        "item_knn",
        "bought_together",
        "ranki2i",
        "again, known shopper",
        "cart without its cart, anonymous",
        "cart, anonymous",
        "cart without its cart, known shopper",
        "cart, known shopper",
    ]
    for row in report.carts.values():
        assert 0 <= row["low"] <= row["hr@10"] <= row["high"] <= 1
        assert 0 <= row["half_recall@10"] <= row["half_hr@10"] <= row["half_high"] <= 1
    with_cart, without = report.carts["cart, anonymous"], report.carts["cart without its cart, anonymous"]
    assert with_cart["half_hr@10"] > without["half_hr@10"]

    assert list(report.searches) == [
        "home, no context",
        "match of words alone",
        "channel context, category",
        "channel context, words",
        "search_companion, no context",
        "search_companion, category",
        "search_companion, category, anonymous",
        "search_companion, category as a must",
        "search_companion, words",
        "search_companion, words, anonymous",
        "search_companion, words as a must",
    ]
    for row in report.searches.values():
        assert 0 <= row["low"] <= row["ndcg@10"] <= row["high"] <= 1
    assert report.searches["search_companion, category as a must"]["in_category"] == 1
    assert report.searches["search_companion, words as a must"]["all_words"] == 1
    with_category = report.searches["search_companion, category"]
    assert with_category["ndcg@10"] > report.searches["search_companion, no context"]["ndcg@10"]

    assert list(report.pages) == [
        "cart",
        "cart, recall order",
        "home",
        "home, recall order",
        "search_companion",
        "search_companion, recall order",
        *(name for name in BUILT if name != CONTEXT),
        *PEERS,
    ]
    for row in report.pages.values():
        assert 0 <= row["low"] <= row["ndcg@10"] <= row["high"] <= 1
    # Ranking reorders what is recalled, and everybody sees the same bestsellers.
    for scene in ("home", "cart"):
        assert report.pages[scene]["ndcg@10"] != report.pages[f"{scene}, recall order"]["ndcg@10"]
    assert report.pages["popularity"]["distinct"] == 10
    assert report.pages["popularity"]["overlap"] == 1
    assert report.pages["home"]["overlap"] < 1
    assert report.pages["again"]["taken_before"] == 1
    # The scores of the cart are relative to the best of each page.
    assert report.notes == [
        "the scores of cart are no probabilities and have no reliability",
        "the channel similar_look is switched off: the items have no pictures",
        "the channel outfit is switched off: the shop brings neither outfits nor pictures of its items",
        "the channel context recalls nothing for what these shoppers do",
    ]
    assert len(report.reliability) == 22
    assert all(0 <= row["observed"] <= 1 for row in report.reliability.values())

    assert list(report.venues) == ["halls", "halls: popularity", "halls: most taken by the shopper"]
    for row in report.venues.values():
        assert 0 <= row["low"] <= row["recall@4"] <= row["high"] <= 1
        assert row["recall@4"] <= row["hr@4"] <= 1

    assert list(report.visits) == ["home", "home, the same page"]
    assert report.visits["home"]["seen_again"] < report.visits["home, the same page"]["seen_again"]
    assert report.visits["home"]["different"] > report.visits["home, the same page"]["different"]

    report.write(tmp_path / "made" / "report.json")
    written = json.loads((tmp_path / "made" / "report.json").read_text())
    assert written["ranking"]["bst"]["gauc"] == report.ranking["bst"]["gauc"]
    assert written["quotas"] == QUOTAS
    again = evaluate(
        *trained,
        RecallSettings(),
        BY_QUOTA,
        QUOTAS,
        SETTINGS,
        anchored=ABOUT_ITEMS,
        scenes=[CART, HOME, COMPANION, HALLS],
        main_scene=HOME.name,
    )
    assert again.as_json() == report.as_json()


@pytest.mark.slow
def test_a_checkpoint_of_another_data_set_is_refused(
    trained: tuple[Dataset, dict[str, Path]], tmp_path: Path
) -> None:
    other = synthetic_dataset(tmp_path, users=20, items=30, events=500, seed=4)
    with pytest.raises(ValueError, match="was trained on data set"):
        evaluate(other, *trained[1:], RecallSettings(), BY_QUOTA, QUOTAS, SETTINGS)


PAGE_COLUMNS = [name.format(k=10) for name in (*WINDOW, *SETS, *LOOKS, *HEADS)]


def test_the_table_is_readable_and_marks_the_best() -> None:
    report = EvaluationReport(
        "d", "the sample", {"a": {"auc": 0.5, "log_loss": 0.2}, "b": {"auc": 0.75, "log_loss": 0.3}},
        {"fused": {"recall@5": math.nan}}, {}, {}, {}, 12,
        pages={"home": dict.fromkeys(PAGE_COLUMNS, 0.25) | {"distinct": 18.0}},
        reliability={"home, all": dict.fromkeys(COLUMNS, 0.25) | {"n": 7.0, "ece": math.nan}},
        notes=["ease scores [5] items"],
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard")
    console.print(report.as_table())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "the sample" in text
    assert "12 shoppers" in text
    assert "\x1b[1m0.7500" in text
    assert "\x1b[1m0.2000" in text
    assert "\x1b[1m0.3000" not in text
    assert "Served pages" in text
    assert "\x1b[1m18\x1b" in text
    assert "18.0" not in text
    assert "home, all" in text
    for column in (
        "Reliability",
        "predicted",
        "next_ndcg@10",
        "taken_before",
        "head_overlap",
        "ease scores [5] items",
    ):
        assert column in text
    assert report.as_json()["recall"]["fused"]["recall@5"] is None
