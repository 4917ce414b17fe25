"""The search for shares over made-up channels, whose best shares are known."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.queries import TestShopper
from evaluation.scene_fusion import FusionOf
from evaluation.share_search import _quality, search_shares
from pipeline.stages import Fusion
from recall.channel import Recalled
from router.fusion.reciprocal_rank import ReciprocalRankFusion
from tests.evaluation.fusions import by_quota, by_reciprocal_rank
from tests.recall.small_shop import make_query

TOTAL = 20


def shopper_taking(targets: list[int]) -> TestShopper:
    return TestShopper(make_query(), np.array(targets, np.int32), np.array(targets, np.int32))


def recalled(items: range | list[int]) -> Recalled:
    return Recalled(
        np.array(items, np.int32),
        np.linspace(1, 0.1, len(items), dtype=np.float32),
        np.zeros(len(items), np.int32),
    )


def test_shares_go_where_the_targets_are() -> None:
    shoppers = [shopper_taking(list(range(1, 16)) + list(range(101, 106)))] * 3
    answers = [
        {
            "left": recalled(range(1, 41)),
            "right": recalled(range(101, 141)),
            "noise": recalled(range(201, 241)),
        }
    ] * 3
    chosen = search_shares(shoppers, answers, ["left", "right", "noise"], by_quota, TOTAL)
    assert (chosen.fused.recall, chosen.fused.ndcg) == pytest.approx((1.0, 1.0))
    assert list(chosen.shares) == ["left", "right", "noise"]
    assert chosen.shares["left"] == pytest.approx(0.75, abs=0.03)
    assert chosen.shares["right"] == pytest.approx(0.25, abs=0.03)
    assert chosen.shares["noise"] < 0.025
    assert [chosen.alone[name].recall for name in chosen.shares] == pytest.approx([0.75, 0.25, 0.0])
    assert chosen.head_kept


def test_a_channel_with_little_to_say_is_judged_alone_by_that_little() -> None:
    shoppers = [shopper_taking([1, 2, 101, 102])]
    answers = [{"short": recalled(range(1, 3)), "long": recalled(range(101, 141))}]
    chosen = search_shares(shoppers, answers, ["short", "long"], by_quota, TOTAL)
    assert [quality.recall for quality in chosen.alone.values()] == pytest.approx([0.5, 0.5])
    assert chosen.fused.recall == 1.0


@pytest.mark.parametrize("fusion_of", [by_quota, by_reciprocal_rank])
def test_more_recall_does_not_buy_a_worse_head(fusion_of: FusionOf) -> None:
    # `head` finds five at once, `tail` ten, all of them late; equal shares would recall most.
    shoppers = [shopper_taking([*range(1, 6), *range(111, 121)])]
    answers = [{"tail": recalled(range(101, 121)), "head": recalled([*range(1, 6), *range(201, 216)])}]
    chosen = search_shares(shoppers, answers, ["tail", "head"], fusion_of, TOTAL)
    assert chosen.head_kept
    assert chosen.fused.ndcg >= chosen.alone["head"].ndcg > chosen.alone["tail"].ndcg


@pytest.mark.parametrize(("better", "worse", "taken"), [(30, 0, True), (3, 6, False), (3, 2, False)])
def test_a_gain_at_the_head_that_may_be_chance_is_not_taken(better: int, worse: int, taken: bool) -> None:
    class Joined:
        """`best` has the target second; both together have it first for some, and third for others."""

        def __init__(self, shares: dict[str, float]) -> None:
            self.both = min(shares.values()) > 0

        def fuse(self, answers: list[Recalled], total: int) -> Recalled:
            return recalled(answers[1].items[::-1].tolist()) if self.both else answers[0]

    places = [1] * better + [3] * worse + [2] * (60 - better - worse)
    answers = []
    for place in places:
        together = [*range(101, 100 + place), 1, *range(100 + place, TOTAL + 100)]
        answers.append({"best": recalled([100, 1, *range(201, 219)]), "other": recalled(together[::-1])})
    shoppers = [shopper_taking([1])] * len(places)
    chosen = search_shares(shoppers, answers, ["best", "other"], Joined, TOTAL)  # type: ignore[arg-type]
    assert chosen.head_kept
    assert (min(chosen.shares.values()) > 0) is taken
    assert chosen.fused.ndcg >= chosen.alone["best"].ndcg > chosen.alone["other"].ndcg


def test_a_floor_that_spoils_the_head_is_reported() -> None:
    def half_noise(shares: dict[str, float]) -> Fusion:
        return ReciprocalRankFusion(np.array(list(shares.values())), 1.0, {1: 0.5}, {})

    shoppers = [shopper_taking(list(range(1, 11)))]
    answers = [{"good": recalled(range(1, 21)), "noise": recalled(range(101, 121))}]
    chosen = search_shares(shoppers, answers, ["good", "noise"], half_noise, TOTAL)  # type: ignore[arg-type]
    assert not chosen.head_kept
    assert chosen.fused.ndcg < chosen.alone["good"].ndcg


def test_shares_are_those_that_were_measured() -> None:
    rng = np.random.default_rng(5)
    shoppers = [shopper_taking(rng.choice(60, 8, replace=False).tolist()) for _ in range(20)]
    answers = [
        {name: recalled((rng.permutation(60)[:25] + 1).tolist()) for name in ("a", "b", "c")}
        for _ in shoppers
    ]
    chosen = search_shares(shoppers, answers, ["a", "b", "c"], by_reciprocal_rank, TOTAL)
    assert sum(chosen.shares.values()) == pytest.approx(1.0, abs=0.002)
    assert all(share == round(share, 3) for share in chosen.shares.values())
    fusion = by_reciprocal_rank(chosen.shares)
    again = [fusion.fuse([answer[name] for name in ("a", "b", "c")], TOTAL).items for answer in answers]
    assert _quality(shoppers, again, TOTAL).means() == chosen.fused
