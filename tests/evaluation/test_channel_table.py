"""What channels are worth, over made-up answers whose worth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from docs.channel_table import markdown
from evaluation import share_search
from evaluation.channel_table import (
    FUSED,
    LOOKS,
    LOSSES,
    QUALITY,
    TRIAL_SHARE,
    channel_notes,
    channel_table,
)
from evaluation.page_metrics import PageFacts
from evaluation.peers.past_events import PastEvents
from evaluation.queries import TestShopper
from evaluation.share_search import search_shares
from recall.channel import Recalled
from tests.evaluation.fusions import by_reciprocal_rank
from tests.recall.small_shop import make_query

ITEMS = 400
FACTS = PageFacts(
    PastEvents(
        user=np.array([1, 1], np.int32),
        item=np.array([1, 2], np.int32),
        ts=np.array([1, 2]),
        offsets=np.array([0, 0, 2, 2, 2]),
        items=ITEMS,
        now=10,
    ),
    np.ones(ITEMS + 1, np.int32),
)
SHOPPERS = [
    TestShopper(make_query(), np.array([1, 101], np.int32), np.array([101], np.int32), user=user)
    for user in (1, 2)
]


def recalled(items: range) -> Recalled:
    column = np.array(items, np.int32)
    return Recalled(column, np.linspace(1, 0.1, len(column), dtype=np.float32), np.zeros_like(column))


ANSWERS = [
    {
        "left": recalled(range(1, 41)),
        "right": recalled(range(101, 141)),
        "noise": recalled(range(201, 241)),
        "silent": recalled(range(0)),
    }
] * 2


def test_each_channel_is_measured_alone_and_by_what_is_lost_without_it():
    rows = channel_table(SHOPPERS, ANSWERS, {"left": 0.5, "noise": 0.5}, by_reciprocal_rank, FACTS, 0)
    assert list(rows) == ["left", "right", "noise", "fused"]
    assert rows["left"]["recall@50"] == 0.5
    assert rows["left"]["new_recall@50"] == 0
    assert rows["right"]["new_recall@50"] == 1
    assert rows["left"]["coverage"] == pytest.approx(10 / ITEMS)
    assert rows["left"]["overlap"] == rows["left"]["ils"] == 1
    # Both targets are found only with left and right.
    assert rows["left"]["loss_recall@200"] == 0.5
    assert rows["left"]["loss_ndcg@10"] > 0.4
    assert rows["left"]["low"] == rows["left"]["high"] == pytest.approx(rows["left"]["loss_ndcg@10"])
    # Right is not in the scene: its loss is what it would add.
    assert (rows["right"]["share"], rows["right"]["loss_recall@200"]) == (0, 0.5)
    assert rows["noise"]["loss_recall@200"] == 0
    assert rows["noise"]["loss_ndcg@10"] == 0
    assert math.isnan(rows["fused"]["loss_ndcg@10"])
    assert 0 < TRIAL_SHARE < 0.5


def test_a_channel_that_recalls_nothing_has_a_row_where_the_scene_has_it_and_else_a_note():
    shares = {"left": 0.5, "silent": 0.5}
    rows = channel_table(SHOPPERS, ANSWERS, shares, by_reciprocal_rank, FACTS, 0)
    assert list(rows) == ["left", "right", "noise", "silent", "fused"]
    assert rows["silent"]["recall@200"] == rows["silent"]["loss_recall@200"] == 0
    assert channel_notes({"outfit": "no pictures"}, ANSWERS[0], rows) == [
        "the channel outfit is switched off: no pictures",
        "the channel silent recalls nothing for what these shoppers do",
    ]
    without = channel_table(SHOPPERS, ANSWERS, {"left": 1.0}, by_reciprocal_rank, FACTS, 0)
    assert channel_notes({}, ANSWERS[0], without) == [
        "the channel silent recalls nothing for what these shoppers do"
    ]


def test_the_only_channel_of_a_fusion_has_no_loss():
    rows = channel_table(SHOPPERS, ANSWERS, {"left": 1.0}, by_reciprocal_rank, FACTS, 0)
    assert math.isnan(rows["left"]["loss_ndcg@10"])
    assert rows["left"]["share"] == 1


def test_a_search_of_many_channels_sees_a_part_of_the_shoppers_and_chooses_on_all(monkeypatch):
    monkeypatch.setattr(share_search, "ANSWERS_PER_POINT", 24)
    names = [f"channel_{at}" for at in range(12)]
    shoppers = [SHOPPERS[0]] * 4
    answer = {name: recalled(range(1 + 20 * at, 5 + 20 * at)) for at, name in enumerate(names)}
    answers = [answer] * len(shoppers)
    fused: list[int] = []

    def counting(shares):
        fusion = by_reciprocal_rank(shares)
        fused.append(0)

        class Counted:
            def fuse(self, recalled, total):
                fused[-1] += 1
                return fusion.fuse(recalled, total)

        return Counted()

    chosen = search_shares(shoppers, answers, names, counting, 20)
    assert sorted(set(fused)) == [2, 4]
    assert max(chosen.shares, key=lambda name: chosen.shares[name]) == "channel_0"
    assert chosen.fused.recall == 1


def test_the_docs_show_channels_by_recall_and_the_fusion_last() -> None:
    shown = dict.fromkeys((*QUALITY, *LOOKS, *LOSSES), 0.25)
    rows = {
        "a": shown | {"recall@200": 0.1, "share": 0.0, "overlap": None, "loss_ndcg@10": -0.0312},
        FUSED: shown | dict.fromkeys(LOSSES),
        "b": shown | {"share": 0.75, "novelty": 12.07},
    }
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown(rows).splitlines()]
    assert [line[0] for line in lines] == ["channel", "---", "`b` (.750)", "`a` (off)", "fused"]
    assert len({len(line) for line in lines}) == 1
    table = dict(zip(lines[0], zip(*lines[2:], strict=True), strict=True))
    assert table["recall@200"] == (".250", ".100", ".250")
    assert table["novelty"] == ("12.1", ".250", ".250")
    assert table["overlap"][1] == "–"
    assert table["lost without it: ndcg@10"] == (".250 [.250, .250]", "−.031 [.250, .250]", "")
