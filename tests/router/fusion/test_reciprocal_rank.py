"""Fusion by weighted reciprocal ranks."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.candidates import Candidates
from router.fusion.kind import FusionParts
from router.fusion.reciprocal_rank import FUSION, ReciprocalRankFusion, ReciprocalRankSettings, fuse
from tests.pipeline.stand_ins import Columns
from tests.recall.small_shop import make_query
from tests.router.fusion.cases import ANSWERS, recalled

Case = tuple[list[list[int]], list[Fraction], int, int]
"""Answers, shares, total, offset."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    answers = draw(ANSWERS)
    share = st.one_of(st.just(0), st.integers(1, 1000)).map(lambda drawn: Fraction(drawn, 100))
    shares = draw(st.lists(share, min_size=len(answers), max_size=len(answers)).filter(any))
    return answers, shares, draw(st.integers(1, 60)), draw(st.integers(0, 80))


@st.composite
def quotas(draw: st.DrawFn, channels: int) -> tuple[dict[int, float], dict[int, float]]:
    """Floors, summing to at most 1, and ceilings of other channels."""
    units = draw(st.lists(st.integers(0, 20), min_size=channels, max_size=channels))
    floors = {i: unit / max(sum(units), 20) for i, unit in enumerate(units) if unit}
    parts = draw(st.lists(st.floats(0.05, 1), min_size=channels, max_size=channels))
    return floors, {i: part for i, part in enumerate(parts) if i not in floors}


@st.composite
def cases_with_quotas(draw: st.DrawFn) -> tuple[Case, dict[int, float], dict[int, float]]:
    case = draw(cases())
    return case, *draw(quotas(len(case[0])))


def fused(
    case: Case,
    floors: dict[int, float] | None = None,
    ceilings: dict[int, float] | None = None,
) -> Candidates:
    answers, shares, total, offset = case
    columns: list[Columns] = [recalled(items, i) for i, items in enumerate(answers)]
    weights = np.array([float(share) for share in shares])
    return fuse(columns, weights, total, float(offset), floors or {}, ceilings or {})


def literally_fused(case: Case) -> list[int]:
    """The definition, item by item, in exact numbers."""
    answers, shares, total, offset = case
    scores: dict[int, Fraction] = {}
    for items, share in zip(answers, shares, strict=True):
        for rank, item in enumerate(items, start=1):
            scores[item] = scores.get(item, Fraction(0)) + share / (offset + rank)
    # A dictionary keeps the order in which items first came, and sorting keeps that of equal scores.
    return sorted(scores, key=lambda item: -scores[item])[:total]


@given(cases())
def test_it_is_the_definition(case: Case) -> None:
    assert fused(case).items.tolist() == literally_fused(case)


@given(cases_with_quotas())
def test_fills_to_total_or_union_without_repeating_an_item(
    drawn: tuple[Case, dict[int, float], dict[int, float]],
) -> None:
    case, floors, ceilings = drawn
    answers, _, total, _ = case
    out = fused(case, floors, ceilings)
    union = set().union(*answers)
    assert len(out) == min(total, len(union))
    assert len(set(out.items.tolist())) == len(out)
    assert set(out.items.tolist()) <= union
    assert (out.items.dtype, out.channels.dtype) == (np.int32, np.uint32)
    assert (out.recall_score.dtype, out.trigger.dtype) == (np.float32, np.int32)
    assert np.isnan(out.score).all()


@given(cases_with_quotas())
def test_an_item_has_every_channels_bit_and_the_first_ones_score_and_trigger(
    drawn: tuple[Case, dict[int, float], dict[int, float]],
) -> None:
    answers = drawn[0][0]
    out = fused(*drawn)
    columns = (out.items, out.channels, out.recall_score, out.trigger)
    for item, bits, score, trigger in zip(*(column.tolist() for column in columns), strict=True):
        having = [i for i, items in enumerate(answers) if item in items]
        assert bits == sum(1 << i for i in having)
        assert score == having[0] * 1000 - answers[having[0]].index(item)
        assert trigger == having[0] * 1000 + item


@given(cases(), st.data())
def test_raising_a_share_never_lowers_the_channels_first_item_against_others(
    case: Case, data: st.DataObject
) -> None:
    answers, shares, _, offset = case
    raised = data.draw(st.sampled_from(range(len(answers))))
    if not answers[raised]:
        return
    first, own = answers[raised][0], set(answers[raised])
    more = [share + Fraction(raised == i) for i, share in enumerate(shares)]

    def ahead(weights: list[Fraction]) -> set[int]:
        order = fused((answers, weights, 1000, offset)).items.tolist()
        return set(order[: order.index(first)]) - own

    assert ahead(more) <= ahead(shares)


@given(cases())
def test_channels_without_a_share_come_last_in_their_order(case: Case) -> None:
    answers, shares, _, offset = case
    order = fused((answers, shares, 1000, offset)).items.tolist()
    with_share = set().union(*(items for items, share in zip(answers, shares, strict=True) if share))
    assert set(order[: len(with_share)]) == with_share
    rest = [item for items, share in zip(answers, shares, strict=True) if not share for item in items]
    assert order[len(with_share) :] == [item for item in dict.fromkeys(rest) if item not in with_share]


@given(cases_with_quotas())
def test_every_head_keeps_the_floors(drawn: tuple[Case, dict[int, float], dict[int, float]]) -> None:
    case, floors, ceilings = drawn
    order = fused(case, floors, ceilings).items.tolist()
    for n in range(1, len(order) + 1):
        for channel, part in floors.items():
            assert set(case[0][channel][: math.floor(part * n + 1e-9)]) <= set(order[:n])


@given(cases_with_quotas())
def test_every_head_keeps_the_ceilings_while_anything_else_is_left(
    drawn: tuple[Case, dict[int, float], dict[int, float]],
) -> None:
    (answers, shares, _, offset), floors, ceilings = drawn
    out = fused((answers, shares, 1000, offset), floors, ceilings)

    def over(bits: np.ndarray, n: int) -> list[int]:
        """Channels of which the first n have more than their ceilings."""
        return [
            channel
            for channel, part in ceilings.items()
            if np.count_nonzero(bits[:n] == 1 << channel) > math.ceil(part * n - 1e-9)
        ]

    for n in range(1, len(out) + 1):
        if over(out.channels, n):
            # Then every other item would be one too many of its own channel.
            assert all(
                over(np.append(out.channels[: n - 1], bits), n) or over(out.channels, n - 1)
                for bits in out.channels[n:]
            )


@given(cases())
def test_quotas_that_are_kept_already_change_nothing(case: Case) -> None:
    free = dict.fromkeys(range(len(case[0])), 1.0)
    assert fused(case, {}, free).items.tolist() == fused(case).items.tolist()


def test_a_floor_brings_its_channels_best_and_a_ceiling_holds_back_what_only_one_recalled() -> None:
    answers = [list(range(1, 13)), list(range(101, 113)), [2, *range(201, 212)]]
    shares = [Fraction(90), Fraction(9), Fraction(1)]
    case = (answers, shares, 8, 60)
    assert fused(case).items.tolist() == list(range(1, 9))
    assert fused(case, {}, {0: 0.5}).items.tolist() == [1, 2, 3, 101, 4, 102, 5, 103]
    assert fused(case, {1: 0.25, 2: 0.25}).items.tolist() == [1, 2, 3, 101, 4, 5, 102, 201]


def test_nothing_recalled_or_nothing_wanted_is_empty() -> None:
    assert len(fuse([recalled([]), recalled([])], np.array([1.0, 1.0]), 10, 60.0)) == 0
    assert len(fuse([], np.array([]), 10, 60.0)) == 0
    assert len(fuse([recalled([1])], np.array([1.0]), 0, 60.0)) == 0


@pytest.mark.parametrize("least", [0.0, 5e-324, 1e-200])
def test_only_channels_next_to_no_share_recalled_something(least: float) -> None:
    out = fuse([recalled([]), recalled([5, 3], 1)], np.array([1e300, least]), 10, 60.0)
    assert out.items.tolist() == [5, 3]


@pytest.mark.parametrize("shares", [[1.0], [1.0, -0.1], [0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_shares_that_make_no_sense_are_refused(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        fuse([recalled([1]), recalled([2])], np.array(shares), 2, 60.0)


def test_as_a_stage_it_has_the_settings_quotas_for_live_channels() -> None:
    settings = ReciprocalRankSettings(offset=0.0, floors={"b": 0.5, "away": 0.1}, ceilings={"a": 0.5})
    parts = FusionParts(None, {}, ("a", "b"), np.array([1.0, 0.1]))  # type: ignore[arg-type]
    out = FUSION.create(parts, settings).fuse([recalled([1, 2, 3]), recalled([7, 8, 9], 1)], 4)
    assert out.items.tolist() == [1, 7, 2, 8]


def test_shares_turn_from_newcomers_to_the_scenes_as_behaviours_are_known() -> None:
    settings = ReciprocalRankSettings(offset=0.0, newcomers={"b": 3.0, "away": 1.0}, newcomer_behaviours=2.0)
    parts = FusionParts(None, {}, ("a", "b"), np.array([3.0, 1.0]))  # type: ignore[arg-type]
    fusion = FUSION.create(parts, settings)
    fitted = FUSION.fitted(settings)
    assert fitted is not None

    def shares(known: int) -> np.ndarray:
        found = fitted(fusion, replace(make_query(), history_items=np.ones(known, np.int32)))
        assert isinstance(found, ReciprocalRankFusion)
        return found.shares / found.shares.sum()

    np.testing.assert_allclose(shares(0), [0, 1])
    np.testing.assert_allclose(shares(2), [0.375, 0.625])
    np.testing.assert_allclose(shares(4), [0.5625, 0.4375])
    np.testing.assert_array_equal(shares(40), [0.75, 0.25])
    assert FUSION.fitted(ReciprocalRankSettings()) is None
    away = FUSION.create(parts, ReciprocalRankSettings(newcomers={"away": 1.0}))
    assert fitted(away, make_query()) is away


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"newcomers": {"a": 0.0}}, "greater than 0"),
        ({"newcomer_behaviours": 0.0}, "greater than 0"),
        ({"floors": {"a": 0.6, "b": 0.5}}, "floors must sum to at most 1, got 1.1"),
        ({"floors": {"a": 0.6}, "ceilings": {"a": 0.5}}, "the floor of a"),
        ({"floors": {"a": 0.0}}, "greater than 0"),
        ({"ceilings": {"a": 1.5}}, "less than or equal to 1"),
        ({"offset": -1.0}, "greater than or equal to 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        ReciprocalRankSettings.model_validate(settings)
