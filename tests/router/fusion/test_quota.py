"""Fusion by quota."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router.fusion.quota import QuotaFusion, apportion, fuse
from tests.router.fusion.cases import cases, recalled


def fused(case: tuple[list[list[int]], np.ndarray, int]) -> dict[int, int]:
    answers, shares, total = case
    out = fuse([recalled(items, i) for i, items in enumerate(answers)], shares, total)
    return dict(zip(out.items.tolist(), out.channels.tolist(), strict=True))


@given(cases())
def test_fills_to_total_or_union_without_repeating_an_item(case: tuple) -> None:
    answers, shares, total = case
    out = fuse([recalled(items, i) for i, items in enumerate(answers)], shares, total)
    union = set().union(*answers)
    assert len(out) == min(total, len(union))
    assert len(set(out.items.tolist())) == len(out)
    assert set(out.items.tolist()) <= union
    assert (out.items.dtype, out.channels.dtype) == (np.int32, np.uint32)
    assert (out.recall_score.dtype, out.trigger.dtype) == (np.float32, np.int32)
    assert np.isnan(out.score).all()


@given(cases())
def test_an_item_has_the_bit_of_every_channel_that_recalled_it(case: tuple) -> None:
    answers, _, _ = case
    for item, bits in fused(case).items():
        assert bits == sum(1 << i for i, items in enumerate(answers) if item in items)


@given(cases())
def test_score_and_trigger_are_the_first_channels(case: tuple) -> None:
    answers, shares, total = case
    out = fuse([recalled(items, i) for i, items in enumerate(answers)], shares, total)
    for item, score, trigger in zip(
        out.items.tolist(), out.recall_score.tolist(), out.trigger.tolist(), strict=True
    ):
        first = next(i for i, items in enumerate(answers) if item in items)
        assert score == first * 1000 - answers[first].index(item)
        assert trigger == first * 1000 + item


@given(cases())
def test_every_channel_gets_its_quota_or_all_it_has(case: tuple) -> None:
    answers, shares, _ = case
    shares = np.where([bool(items) for items in answers], shares, 0.0)
    assume(shares.sum() > 0)
    kept = fused(case)
    quotas = apportion(len(kept), shares)
    for i, items in enumerate(answers):
        assert sum(bits >> i & 1 for bits in kept.values()) >= min(quotas[i], len(items))


@given(cases())
def test_a_channels_better_items_come_in_before_its_worse_ones(case: tuple) -> None:
    answers, _, _ = case
    kept = fused(case)
    for i, items in enumerate(answers):
        own = [item for item in items if all(item not in other for j, other in enumerate(answers) if j != i)]
        got = [item for item in own if item in kept]
        assert got == own[: len(got)]


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_channels_changes_no_size_and_no_credit(case: tuple, random: object) -> None:
    answers, shares, total = case
    turn = list(range(len(answers)))
    random.shuffle(turn)
    turned = fused(([answers[i] for i in turn], shares[turn], total))
    assert len(turned) == len(fused(case))
    for item, bits in turned.items():
        channels = {turn[place] for place in range(len(turn)) if bits >> place & 1}
        assert channels == {i for i, items in enumerate(answers) if item in items}


@given(cases())
def test_the_same_answers_give_the_same_result(case: tuple) -> None:
    assert list(fused(case).items()) == list(fused(case).items())


@given(
    st.integers(0, 1000), st.lists(st.floats(0, 100), min_size=1, max_size=8).filter(lambda w: sum(w) > 1e-3)
)
def test_seats_sum_to_total_and_stay_within_one_of_the_exact_share(total: int, weights: list[float]) -> None:
    exact = total * np.array(weights) / sum(weights)
    seats = apportion(total, np.array(weights))
    assert seats.sum() == total
    assert (np.abs(seats - exact) < 1 + 1e-6).all()


def test_disjoint_channels_get_exactly_their_shares() -> None:
    out = fuse([recalled(list(range(1, 101))), recalled(list(range(101, 201)), 1)], np.array([3.0, 1.0]), 40)
    assert np.count_nonzero(out.channels == 1) == 30
    assert np.count_nonzero(out.channels == 2) == 10


def test_what_a_channel_leaves_goes_to_the_others_by_their_shares() -> None:
    out = fuse(
        [recalled([1, 2]), recalled(list(range(101, 201)), 1), recalled(list(range(201, 301)), 2)],
        np.array([0.5, 0.3, 0.2]),
        52,
    )
    assert [np.count_nonzero(out.channels == 1 << i) for i in range(3)] == [2, 30, 20]


def test_a_channel_without_a_share_only_fills_what_is_left() -> None:
    filler = recalled(list(range(101, 201)), 1)
    shares = np.array([1.0, 0.0])
    assert fuse([recalled(list(range(1, 50))), filler], shares, 40).channels.tolist() == [1] * 40
    assert fuse([recalled([1, 2, 3]), filler], shares, 10).items.tolist() == [1, 2, 3, *range(101, 108)]


def test_every_head_of_the_result_mixes_the_channels_by_share() -> None:
    out = fuse(
        [recalled(list(range(1, 101))), recalled(list(range(101, 201)), 1)], np.array([0.75, 0.25]), 100
    )
    for head in range(4, 101, 4):
        assert np.count_nonzero(out.channels[:head] == 1) == pytest.approx(head * 0.75, abs=1)


def test_within_a_channel_its_own_order_stays() -> None:
    out = fuse([recalled([9, 3, 7, 1]), recalled([20, 8, 15], 1)], np.array([0.5, 0.5]), 7)
    assert out.items[out.channels == 1].tolist() == [9, 3, 7, 1]
    assert out.items[out.channels == 2].tolist() == [20, 8, 15]


def test_nothing_recalled_or_nothing_wanted_is_empty() -> None:
    assert len(fuse([recalled([]), recalled([])], np.array([1.0, 1.0]), 10)) == 0
    assert len(fuse([], np.array([]), 10)) == 0
    assert len(fuse([recalled([1])], np.array([1.0]), 0)) == 0


@pytest.mark.parametrize("shares", [[1.0], [1.0, -0.1], [0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_shares_that_make_no_sense_are_refused(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        fuse([recalled([1]), recalled([2])], np.array(shares), 2)


def test_as_a_stage_it_fuses_by_its_shares() -> None:
    out = QuotaFusion(np.array([1.0, 1.0])).fuse([recalled([1, 2]), recalled([2, 3], 1)], 3)
    assert out.items.tolist() == [1, 3, 2]
