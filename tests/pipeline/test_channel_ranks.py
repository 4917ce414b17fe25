"""Each candidate carries the place at which each channel recalled it."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.candidates import unscored
from pipeline.channel_ranks import with_channel_ranks
from pipeline.stages import Recalled

ANSWERS = st.lists(st.lists(st.integers(1, 30), unique=True, max_size=12), min_size=1, max_size=4)


def recalled(items: list[int]) -> Recalled:
    count = len(items)
    return Recalled(np.array(items, np.int32), np.zeros(count, np.float32), np.zeros(count, np.int32))


@given(answers=ANSWERS, candidates=st.lists(st.integers(1, 30), unique=True, max_size=12))
def test_ranks_are_the_places_in_the_channels_answers(
    answers: list[list[int]], candidates: list[int]
) -> None:
    count = len(candidates)
    rows = unscored(
        np.array(candidates, np.int32),
        np.zeros(count, np.uint32),
        np.zeros(count, np.float32),
        np.zeros(count, np.int32),
    )
    names = [f"c{place}" for place in range(len(answers))]
    ranked = with_channel_ranks(rows, [recalled(answer) for answer in answers], names)
    assert set(ranked.columns) == {f"rank.{name}" for name in names}
    for name, answer in zip(names, answers, strict=True):
        column = ranked.columns[f"rank.{name}"]
        assert column.dtype == np.float32
        for item, rank in zip(candidates, column.tolist(), strict=True):
            assert rank == answer.index(item) + 1 if item in answer else math.isnan(rank)
