"""The recall table with made-up channels: whose numbers are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from evaluation.baselines import ItemCf
from evaluation.loaded_models import LoadedModel
from evaluation.queries import TestShopper, test_shoppers
from evaluation.recall_table import measure, recall_table
from evaluation.settings import ItemCfSettings
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import TrainedOn, record_of
from models.interaction_log import InteractionLog
from recall.channel import Recalled
from recall.query import Query
from recall.triggers import TriggerSettings
from snapshot.event_codes import PURCHASE
from tests.evaluation.fusions import by_quota
from tests.models.small_features import PROFILE_COUNTS, item_features
from tests.models.small_log import START, random_log

CUT = START + 25_000


@pytest.fixture
def log() -> InteractionLog:
    return random_log(2, users=20, items=60, events=1500)


@pytest.fixture
def shoppers(log: InteractionLog) -> list[TestShopper]:
    users = pl.DataFrame({"user": np.arange(1, 21, dtype=np.int32), "gender": ["f", None] * 10})
    return test_shoppers(log, users, CUT, 1000, TriggerSettings(), np.random.default_rng(0))


def untrained_bst() -> LoadedModel:
    """A network with the weights it begins with."""
    features = item_features()
    network = Bst(BstNetworkSettings(), features, PROFILE_COUNTS)
    trained_on = TrainedOn("d", features.items, features.code_counts, PROFILE_COUNTS)
    record = record_of("bst", network.settings, trained_on, seed=1, steps=0, metrics={}, training={})
    return LoadedModel.of(network, record)


class Oracle:
    """A channel that knows the future: the n-th part of each shopper's targets."""

    def __init__(self, name: str, shoppers: list[TestShopper], part: slice) -> None:
        self.name = name
        self._targets = {shopper.query.user_id: shopper.targets[part] for shopper in shoppers}

    async def recall(self, query: Query, k: int) -> Recalled:
        items = self._targets[query.user_id][:k]
        return Recalled(items, np.ones(len(items), np.float32), np.zeros(len(items), np.int32))


def test_queries_hold_the_past_and_targets_the_future(
    log: InteractionLog, shoppers: list[TestShopper]
) -> None:
    behaviours = log.behaviours
    assert shoppers
    for shopper in shoppers:
        user, query = int(shopper.query.user_id), shopper.query
        own = behaviours.user == user
        past, future = own & (behaviours.ts < CUT), own & (behaviours.ts >= CUT)
        assert set(shopper.targets) == set(behaviours.item[future])
        assert set(shopper.new_targets) == set(shopper.targets) - set(behaviours.item[past])
        days = behaviours.ts // 86_400
        first_day = future & (days == days[future].min())
        assert set(shopper.next_targets) == set(behaviours.item[first_day])
        assert shopper.user == user
        assert query.now == CUT
        assert len(query.history_items) == min(200, past.sum())
        assert (np.diff(query.history_ts) <= 0).all()
        assert (query.history_ts < CUT).all()
        assert set(query.history_items) == set(behaviours.item[past])
        assert set(query.purchased_items) == set(behaviours.item[past & (behaviours.event == PURCHASE)])
        assert query.profile == ({"gender": "f"} if user % 2 else {})


def test_fewer_shoppers_can_be_drawn(log: InteractionLog) -> None:
    users = pl.DataFrame({"user": np.arange(1, 21, dtype=np.int32)})
    few = test_shoppers(log, users, CUT, 3, TriggerSettings(), np.random.default_rng(0))
    again = test_shoppers(log, users, CUT, 3, TriggerSettings(), np.random.default_rng(0))
    assert len(few) == 3
    assert [s.query.user_id for s in few] == [s.query.user_id for s in again]


def test_rows_of_known_channels(log: InteractionLog, shoppers: list[TestShopper]) -> None:
    channels = {
        "even": Oracle("even", shoppers, slice(0, None, 2)),
        "odd": Oracle("odd", shoppers, slice(1, None, 2)),
        "empty": Oracle("empty", shoppers, slice(0, 0)),
        "unused": Oracle("unused", shoppers, slice(0, 0)),
    }
    torch.manual_seed(0)
    table = recall_table(
        shoppers,
        channels,
        {"even": 1.0, "odd": 1.0, "empty": 1.0},
        by_quota,
        ItemCf.fit(log, CUT, ItemCfSettings()),
        untrained_bst(),
        ks=(1, 60),
        fused_total=60,
        rank_candidates=60,
    )
    # What recalls nothing has a row only where the scene has it.
    assert list(table) == ["popularity", "item_cf", "even", "odd", "empty", "fused", "fused_bst"]
    share = np.mean([np.ceil(len(s.targets) / 2) / len(s.targets) for s in shoppers])
    assert table["even"]["recall@60"] == pytest.approx(share)
    assert table["odd"]["recall@60"] == pytest.approx(1 - share)
    assert table["empty"]["hr@60"] == 0
    # Each part alone finds half; fused they find all, and ranking loses none of it.
    for row in ("fused", "fused_bst"):
        assert table[row]["recall@60"] == pytest.approx(1)
        assert table[row]["new_recall@60"] == pytest.approx(1)
        assert table[row]["ndcg@60"] == pytest.approx(1)
    # The catalogue has 60 items: any full order finds everything.
    for row in ("popularity", "item_cf"):
        assert table[row]["recall@60"] == pytest.approx(1)
        assert table[row]["ndcg@60"] < 1


def test_a_budget_cuts_every_row_alike(log: InteractionLog, shoppers: list[TestShopper]) -> None:
    table = recall_table(
        shoppers,
        {"all": Oracle("all", shoppers, slice(None))},
        {"all": 1.0},
        by_quota,
        ItemCf.fit(log, CUT, ItemCfSettings()),
        untrained_bst(),
        ks=(50,),
        fused_total=2,
        rank_candidates=2,
    )
    best = np.mean([min(2, len(s.targets)) / len(s.targets) for s in shoppers])
    for row in ("all", "fused", "fused_bst"):
        assert table[row]["recall@50"] == pytest.approx(best)
    assert table["popularity"]["recall@50"] <= best


def test_measure_by_hand(shoppers: list[TestShopper]) -> None:
    one = TestShopper(shoppers[0].query, np.array([3, 4, 9]), np.array([9]))
    two = TestShopper(shoppers[1].query, np.array([1]), np.array([], dtype=np.int64))
    columns = measure([one, two], [np.array([5, 9, 3]), np.array([1])], ks=(1, 3))
    assert columns["recall@1"] == pytest.approx((0 + 1) / 2)
    assert columns["recall@3"] == pytest.approx((2 / 3 + 1) / 2)
    assert columns["hr@3"] == 1
    assert columns["new_recall@3"] == 1
    gained = 1 / np.log2(3) + 1 / np.log2(4)
    assert columns["ndcg@3"] == pytest.approx((gained / (1 + gained) + 1) / 2)


def test_wrong_input_is_named(log: InteractionLog, shoppers: list[TestShopper]) -> None:
    bst = untrained_bst()
    item_cf = ItemCf.fit(log, CUT, ItemCfSettings())
    arguments = {"ks": (1,), "fused_total": 5, "rank_candidates": 5}
    with pytest.raises(ValueError, match="channels that are not built: ghost"):
        recall_table(shoppers, {}, {"ghost": 1.0}, by_quota, item_cf, bst, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no shopper takes anything"):
        recall_table([], {}, {}, by_quota, item_cf, bst, **arguments)  # type: ignore[arg-type]
