"""Tags and points hold the same, and faulty tags are named."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from features.title_tags import Point, points_of, tag_fault, tags_of

KINDS = st.sampled_from(["colour", "B-rand", "-", "x y"])


@st.composite
def apart(draw: st.DrawFn) -> tuple[list[Point], int]:
    """Points that do not overlap, and how many tokens their title has."""
    points, at = [], 0
    steps = st.tuples(st.integers(0, 2), st.integers(1, 3), KINDS)
    for gap, length, kind in draw(st.lists(steps, max_size=6)):
        points.append(Point(at + gap, at + gap + length, kind))
        at += gap + length
    return points, at + draw(st.integers(0, 2))


@settings(max_examples=60)
@given(apart())
def test_tags_and_points_hold_the_same(title: tuple[list[Point], int]) -> None:
    points, tokens = title
    tags = tags_of(points, tokens)
    assert len(tags) == tokens
    assert tag_fault(tags) is None
    assert points_of(tags) == points


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b", "I-", "", "a", "o"]), max_size=5))
def test_tags_without_a_fault_come_back_from_their_points(tags: list[str]) -> None:
    fault = tag_fault(tags)
    if fault is None:
        assert tags_of(points_of(tags), len(tags)) == tags
    elif "continues" in fault:
        assert any(tag[:2] == "I-" and before[2:] != tag[2:] for before, tag in pairwise(["O", *tags]))
    else:
        assert {"I-", "", "a", "o"} & set(tags)
