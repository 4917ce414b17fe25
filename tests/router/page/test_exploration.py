"""Drawn slots: the same for the same seed, never a repetition, and with the probability that is logged."""

from __future__ import annotations

import asyncio
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from pipeline.candidates import Candidates, unscored
from pipeline.plan import Ranking
from router.page.arrangement import PageArrangement, ScenePage
from router.page.drawn_slots import draw_slots
from router.page.exploration import explore
from router.page.settings import ExplorationSettings
from tests.pipeline.stand_ins import FixedChannel, RuleScorer
from tests.pipeline.test_runner import pipeline
from tests.router.page.test_arrangement import ranked


def scored(scores: list[float], first: int = 1) -> Candidates:
    items = np.arange(first, first + len(scores), dtype=np.int32)
    zeros = np.zeros(len(scores), np.float32)
    candidates = unscored(items, np.ones(len(scores), np.uint32), zeros, zeros.astype(np.int32))
    return candidates.with_score(np.array(scores, np.float32))


SCORES = st.lists(st.one_of(st.just(math.nan), st.floats(-50, 50, width=32)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    page=SCORES,
    others=SCORES,
    share=st.floats(0.01, 1.0),
    temperature=st.floats(1e-3, 100.0),
    token=st.text(max_size=20),
)
def test_draws_repeat_show_no_item_twice_and_have_a_probability(
    page: list[float], others: list[float], share: float, temperature: float, token: str
) -> None:
    items, rest = scored(page), scored(others, first=100)
    chosen = ExplorationSettings(share=share, temperature=temperature)
    explored = explore(items, rest, chosen, token)
    again = explore(items, rest, chosen, token)
    np.testing.assert_array_equal(explored.items.items, again.items.items)
    np.testing.assert_array_equal(explored.propensities, again.propensities)
    shown = explored.items.items
    assert len(set(shown.tolist())) == shown.size == len(page)
    assert np.isin(shown, np.concatenate((items.items, rest.items))).all()
    drawn = ~np.isnan(explored.propensities)
    np.testing.assert_array_equal(shown[~drawn], items.items[~drawn])
    assert ((explored.propensities[drawn] > 0) & (explored.propensities[drawn] <= 1 + 1e-12)).all()
    assert np.isfinite(explored.items.score[drawn]).all()


@pytest.mark.slow
def test_logged_probabilities_are_the_frequencies_of_the_draws() -> None:
    items, others = scored([0.9, 0.5, 0.4]), scored([0.6, 0.3, math.nan, 0.1], first=10)
    chosen = ExplorationSettings(share=1.0, temperature=0.2)
    logits = {1: 0.9, 2: 0.5, 3: 0.4, 10: 0.6, 11: 0.3, 13: 0.1}
    weights = {item: math.exp(score / 0.2) for item, score in logits.items()}
    rounds = 20_000
    first: Counter[int] = Counter()
    second: Counter[int] = Counter()
    expected_second: Counter[int] = Counter()
    for number in range(rounds):
        explored = explore(items, others, chosen, f"token {number}")
        a, b, _ = explored.items.items.tolist()
        first[a] += 1
        assert explored.propensities[0] == pytest.approx(weights[a] / sum(weights.values()), rel=1e-6)
        left = sum(weights.values()) - weights[a]
        assert explored.propensities[1] == pytest.approx(weights[b] / left, rel=1e-6)
        second[b] += 1
        for item, weight in weights.items():
            if item != a:
                expected_second[item] += weight / left
    whole = sum(weights.values())
    order = sorted(weights)
    assert chisquare([first[i] for i in order], [rounds * weights[i] / whole for i in order]).pvalue > 1e-4
    assert chisquare([second[i] for i in order], [expected_second[i] for i in order]).pvalue > 1e-4


def test_the_share_of_drawn_slots_is_the_stated_one() -> None:
    chosen = ExplorationSettings(share=0.2, temperature=1.0)
    drawn = [
        np.count_nonzero(
            ~np.isnan(explore(scored([0.5] * 10), scored([0.5], 100), chosen, str(i)).propensities)
        )
        for i in range(3_000)
    ]
    assert np.mean(drawn) == pytest.approx(2.0, abs=0.12)


async def scene(items: list[int], page_size: int, slots: int) -> ScenePage:
    tested = pipeline(FixedChannel("a", items), ranking=Ranking(RuleScorer(lambda item: item / 100), 5000.0))
    return await ranked(tested, page_size, slots)


@settings(max_examples=60, deadline=None)
@given(
    scenes=st.lists(
        st.tuples(st.lists(st.integers(1, 40), unique=True, min_size=1, max_size=30), st.integers(1, 8)),
        min_size=1,
        max_size=4,
    ),
    token=st.text(max_size=8),
)
def test_no_item_appears_twice_on_a_page_whose_scenes_explore(
    scenes: list[tuple[list[int], int]], token: str
) -> None:
    async def page() -> tuple[list[list[int]], list[list[int]], list[bool]]:
        arrangement = PageArrangement([])
        slots = arrangement.slots([size for _, size in scenes])
        found = [await scene(items, size, count) for (items, size), count in zip(scenes, slots, strict=True)]
        pages = await arrangement.arrange(found)
        settings = ExplorationSettings(share=1.0, temperature=1.0)
        choices = [settings if index % 2 == 0 else None for index in range(len(found))]
        drawn = draw_slots(found, pages, choices, [f"{token} {index}" for index in range(len(found))])
        return (
            [each.items.items.tolist() for each in pages],
            [each.page.items.items.tolist() for each in drawn],
            [each.propensities is None for each in drawn],
        )

    before, after, absent = asyncio.run(page())
    assert [len(each) for each in after] == [len(each) for each in before]
    shown = [item for each in after for item in each]
    assert len(set(shown)) == len(shown)
    for (items, _), each in zip(scenes, after, strict=True):
        assert set(each) <= set(items)
    assert absent == [index % 2 == 1 for index in range(len(scenes))]
    assert before[1::2] == after[1::2]


async def test_a_page_that_no_model_ordered_is_not_drawn() -> None:
    plain = await ranked(pipeline(FixedChannel("a", [1, 2, 3])), 2, 2)
    (drawn,) = draw_slots([plain], [plain.page], [ExplorationSettings(share=1.0)], ["t"])
    assert drawn.propensities is None
    assert drawn.page is plain.page


async def test_the_trace_tells_how_many_slots_were_drawn() -> None:
    found = await scene([1, 2, 3, 4, 5], 3, 3)
    (drawn,) = draw_slots([found], [found.page], [ExplorationSettings(share=1.0)], ["t"])
    record = drawn.page.trace[-1]
    assert (record.stage, record.count_in, record.count_out) == ("exploration", 2, 3)
    assert record.detail == "3 slots drawn"
