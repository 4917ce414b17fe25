"""The quality gate on scores made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from exporters.quality import Answers, QualityReport, answers, judge, losses, order_ndcg
from exporters.ranking_sample import RankingSample

LIMITS = {"maximum_auc_loss": 0.0005, "minimum_ndcg": 0.999}
SAMPLE = RankingSample(
    ({"candidate_item": np.arange(4, dtype=np.int32)},), np.array([1, 0, 1, 0], bool), ({},)
)


def told(labelled: list[float], long: list[float]) -> Answers:
    return Answers(np.float32(labelled), (np.float32(long),))


scores = hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(0, 1, width=32))


@given(scores)
def test_the_same_order_is_perfect_whatever_the_scores_are(reference: np.ndarray) -> None:
    assert order_ndcg(reference, reference) == pytest.approx(1)
    order = np.argsort(-reference, kind="stable")
    by_rank = np.empty(len(reference), np.float32)
    by_rank[order] = -np.arange(len(reference))
    assert order_ndcg(reference, by_rank) == pytest.approx(1)


@given(scores, st.integers(0, 2**32 - 1))
def test_no_other_order_is_better(reference: np.ndarray, seed: int) -> None:
    other = np.random.default_rng(seed).random(len(reference)).astype(np.float32)
    assert order_ndcg(reference, other) <= 1 + 1e-9


def test_the_formula_on_three_candidates() -> None:
    # Gains 2 and 1 for the best two; the new order puts the third first.
    found = order_ndcg(np.float32([3, 2, 1]), np.float32([2, 1, 3]), k=2)
    discount = 1 / np.log2([2, 3])
    assert found == pytest.approx((0 * discount[0] + 2 * discount[1]) / (2 * discount[0] + discount[1]))


def test_what_is_lost_is_measured_against_float32() -> None:
    float32 = told([0.9, 0.1, 0.8, 0.2], [0.3, 0.2, 0.1])
    assert judge(SAMPLE, float32, float32) == QualityReport(1.0, 0.0, pytest.approx(1.0))
    worse = judge(SAMPLE, float32, told([0.9, 0.1, 0.15, 0.2], [0.1, 0.2, 0.3]))
    assert (worse.auc, worse.auc_loss) == (0.75, 0.25)
    assert losses(worse, **LIMITS) == [
        "AUC loss 0.25000 is above 0.0005",
        f"NDCG@50 {worse.ndcg:.5f} is below 0.999",
    ]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["labelled", "list"])
def test_a_score_that_is_no_number_passes_no_gate(broken: float, place: str) -> None:
    float32 = told([0.9, 0.1, 0.8, 0.2], [0.3, 0.2, 0.1])
    bad = (
        told([0.9, 0.1, 0.8, broken], [0.3, 0.2, 0.1])
        if place == "labelled"
        else told([0.9, 0.1, 0.8, 0.2], [0.3, 0.2, broken])
    )
    report = judge(SAMPLE, float32, bad)
    assert len(losses(report, **LIMITS)) == 2
    assert len(losses(report, maximum_auc_loss=1e9, minimum_ndcg=1e-9)) == 2


@given(st.floats(-1, 1), st.floats(0, 1))
def test_the_limits_themselves_pass(auc_loss: float, ndcg: float) -> None:
    passes = auc_loss <= LIMITS["maximum_auc_loss"] and ndcg >= LIMITS["minimum_ndcg"]
    assert (not losses(QualityReport(0.5, auc_loss, ndcg), **LIMITS)) is passes


def test_nothing_to_judge_by() -> None:
    assert SAMPLE
    assert not RankingSample((), np.zeros(0, bool), ())
    assert not RankingSample(SAMPLE.labelled, np.ones(4, bool), SAMPLE.lists)
    assert not RankingSample(SAMPLE.labelled, SAMPLE.labels, ())


def test_every_call_of_the_sample_is_asked_once() -> None:
    asked: list[int] = []

    def run(feeds: object) -> dict[str, np.ndarray]:
        asked.append(id(feeds))
        return {"score": np.zeros(4, np.float32)}

    found = answers(run, SAMPLE)
    assert asked == [id(SAMPLE.labelled[0]), id(SAMPLE.lists[0])]
    assert (len(found.labelled), len(found.lists)) == (4, 1)
