"""Several scorers of one pipeline: what fails is left out, what changes keeps one version per request."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.candidates import PROBABILITY, Candidates
from pipeline.plan import MergedRanking, Pipeline, Ranking
from pipeline.scoring import Split
from pipeline.stages import DependencyError, MergedScore, Model, StageBug
from tests.pipeline.stand_ins import FixedChannel, RuleScorer
from tests.pipeline.test_runner import pipeline, run
from tests.pipeline.test_scoring import PartScorer


class Sum:
    """Adds up every column that is there."""

    name = "sum"

    def merge(self, columns: Mapping[str, np.ndarray]) -> MergedScore:
        return MergedScore(np.sum(list(columns.values()), axis=0, dtype=np.float32), next(iter(columns)))


@dataclass
class Picky:
    """Needs one column."""

    column: str
    name: str = "picky"

    def merge(self, columns: Mapping[str, np.ndarray]) -> MergedScore | None:
        return MergedScore(columns[self.column], self.column) if self.column in columns else None


class Worth:
    """Orders by the negative sum, and says the sum to be the probability."""

    name = "worth"

    def merge(self, columns: Mapping[str, np.ndarray]) -> MergedScore:
        total = np.sum(list(columns.values()), axis=0, dtype=np.float32)
        return MergedScore(-total, next(iter(columns)), total)


@dataclass
class TwoColumns:
    """Gives a click and a sale column."""

    async def score(self, query: object, candidates: Candidates) -> dict[str, np.ndarray]:
        items = candidates.items.astype(np.float32)
        return {"click": items, "sale": -2 * items}

    def model(self, query: object) -> Model:
        return Model("two", "3")


def merged(merge: object = None, split: Split | None = None, **scorers: object) -> Pipeline[object]:
    rankings = {
        name: Ranking(scorer, 5000.0, split or Split())  # type: ignore[arg-type]
        for name, scorer in scorers.items()
    }
    return pipeline(
        FixedChannel("a", range(1, 9)),
        ranking=MergedRanking(rankings, merge or Sum(), "main"),  # type: ignore[arg-type]
    )


async def test_a_merge_may_order_by_something_else_than_the_probability_that_it_gives() -> None:
    page = await run(merged(Worth(), main=RuleScorer(float)), 8)
    assert page.items.items.tolist() == list(range(1, 9)), "the smallest sum is worth most"
    assert page.items.score.tolist() == [-item for item in range(1, 9)]
    assert page.items.columns[PROBABILITY].tolist() == list(range(1, 9))


async def test_columns_of_all_scorers_order_the_page_and_stay_on_the_candidates() -> None:
    page = await run(merged(main=RuleScorer(float), two=TwoColumns()), 8)
    assert page.items.items.tolist() == list(range(1, 9)), "1 + 1 - 2 = 0 for every item: as recalled"
    np.testing.assert_array_equal(page.items.columns["main.score"], np.arange(1, 9, dtype=np.float32))
    np.testing.assert_array_equal(page.items.columns["two.sale"], -2 * np.arange(1, 9, dtype=np.float32))
    assert list(page.items.columns) == ["main.score", "two.click", "two.sale"]
    assert page.model == Model("rule", "7")
    assert page.degraded == ()
    stages = {record.stage: record.outcome for record in page.trace}
    assert stages == {
        "channel:a": "ok",
        "fusion": "ok",
        "ranking": "ok",
        "ranking:two": "ok",
        "merge:sum": "ok",
    }


@pytest.mark.parametrize(
    ("broken", "degraded"),
    [
        ({"two": RuleScorer(float, error=DependencyError("down"))}, ("ranking:two",)),
        ({"two": RuleScorer(float, error=TimeoutError())}, ("ranking:two",)),
        ({"main": RuleScorer(float, error=DependencyError("down"))}, ("ranking",)),
    ],
)
async def test_a_failed_scorer_is_named_and_the_rest_is_merged(
    broken: dict[str, RuleScorer], degraded: tuple[str, ...]
) -> None:
    scorers = {"main": RuleScorer(float), "two": RuleScorer(lambda item: 2 * item)} | broken
    page = await run(merged(**scorers), 8)
    assert page.degraded == degraded
    assert page.items.items.tolist() == list(range(8, 0, -1))
    assert page.model == Model("rule", "7")


async def test_where_every_scorer_fails_recall_order_stays() -> None:
    down = DependencyError("down")
    page = await run(merged(main=RuleScorer(float, error=down), two=RuleScorer(float, error=down)), 8)
    assert page.degraded == ("ranking", "ranking:two")
    assert page.items.items.tolist() == list(range(1, 9))
    assert page.model == Model("", "")
    assert np.isnan(page.items.score).all()
    only = await run(merged(two=RuleScorer(float, error=down)), 8)
    assert only.degraded == ("ranking:two", "ranking")


async def test_a_merge_without_the_columns_it_needs_leaves_recall_order() -> None:
    down = RuleScorer(float, error=DependencyError("down"))
    page = await run(merged(Picky("two.score"), main=RuleScorer(float), two=down), 8)
    assert page.degraded == ("ranking:two", "ranking")
    assert page.items.items.tolist() == list(range(1, 9))
    assert page.model == Model("", "")


async def test_a_late_scorer_delays_nothing_past_its_time() -> None:
    rankings = {
        "main": Ranking(RuleScorer(float), 5000.0),
        "slow": Ranking(RuleScorer(float, delay=60), 20.0),
    }
    tested = pipeline(FixedChannel("a", range(1, 9)), ranking=MergedRanking(rankings, Sum(), "main"))
    page = await run(tested, 8)
    assert page.degraded == ("ranking:slow",)
    assert page.items.items[0] == 8


async def test_a_bug_in_one_scorer_ends_the_run_and_stops_the_others() -> None:
    slow = RuleScorer(float, delay=60)
    with pytest.raises(StageBug, match="ranking:two"):
        await asyncio.wait_for(run(merged(main=slow, two=RuleScorer(float, error=KeyError("x"))), 8), 10)
    assert len(asyncio.all_tasks()) == 1 or all(
        task.cancelling() or task is asyncio.current_task() for task in asyncio.all_tasks()
    )


async def test_a_merge_that_names_no_column_of_its_own_is_a_bug() -> None:
    class Wrong(Sum):
        def merge(self, columns: Mapping[str, np.ndarray]) -> MergedScore:
            return MergedScore(super().merge(columns).values, "main.other")

    with pytest.raises(StageBug, match=r"must name one of main\.score"):
        await run(merged(Wrong(), main=RuleScorer(float)), 8)


async def test_a_lost_part_of_one_scorer_keeps_its_candidates_in_place() -> None:
    rankings = {
        "main": Ranking(PartScorer(fails={2}), 5000.0, Split(4, 2)),
        "two": Ranking(RuleScorer(float), 5000.0),
    }
    tested = pipeline(FixedChannel("a", range(1, 9)), ranking=MergedRanking(rankings, Sum(), "main"))
    page = await run(tested, 8)
    # The part of items 2, 4, 6, 8 was lost.
    assert page.items.items.tolist() == [7, 2, 5, 4, 3, 6, 1, 8]
    assert page.degraded == ("ranking:partial",)


SCORES = st.lists(st.one_of(st.just(math.nan), st.floats(-5, 5, width=16)), min_size=8, max_size=8)


@settings(max_examples=60, deadline=None)
@given(first=SCORES, second=SCORES)
def test_nothing_is_lost_and_nan_sinks_below_every_number(first: list[float], second: list[float]) -> None:
    def of(values: list[float]) -> Callable[[int], float]:
        return lambda item: values[item - 1]

    page = asyncio.run(run(merged(main=RuleScorer(of(first)), two=RuleScorer(of(second))), 8))
    assert sorted(page.items.items.tolist()) == list(range(1, 9))
    known = np.isnan(page.items.score)
    assert (np.diff(page.items.score[~known]) <= 0).all()
    assert not known[: 8 - np.count_nonzero(known)].any()


@dataclass
class Version:
    """A version of a live scorer, which a newer one replaces while it scores."""

    live: Live
    number: int

    async def score(self, query: object, candidates: Candidates) -> dict[str, np.ndarray]:
        self.live.number += 1
        await asyncio.sleep(0)
        return {"score": candidates.items.astype(np.float32) * (1 if self.number % 2 else -1)}

    def model(self, query: object) -> Model:
        return Model("live", str(self.number))


@dataclass
class Live:
    """Its version grows with every call."""

    number: int = 1
    error: Exception | None = None
    given: list[int] = field(default_factory=list)

    def current(self) -> Version:
        if self.error is not None:
            raise self.error
        self.given.append(self.number)
        return Version(self, self.number)


async def test_a_live_scorer_names_the_version_that_scored_though_a_newer_one_has_come() -> None:
    live = Live()
    tested = pipeline(
        FixedChannel("a", range(1, 9)),
        ranking=MergedRanking({"live": Ranking(live, 5000.0, Split(4, 2), live=True)}, Sum()),
    )
    page = await run(tested, 8)
    assert page.model == Model("live", "1")
    assert page.items.items.tolist() == list(range(8, 0, -1)), "both parts by version 1"
    assert live.given == [1]
    assert (await run(tested, 8)).model == Model("live", "3")


async def test_a_live_scorer_without_a_version_is_an_outage() -> None:
    tested = pipeline(
        FixedChannel("a", range(1, 9)),
        ranking=MergedRanking(
            {
                "main": Ranking(RuleScorer(float), 5000.0),
                "live": Ranking(Live(error=DependencyError("nothing learned yet")), 5000.0, live=True),
            },
            Sum(),
            "main",
        ),
    )
    page = await run(tested, 8)
    assert page.degraded == ("ranking:live",)
    assert page.items.items[0] == 8


@pytest.mark.parametrize("names", [("click",), ("sale", "click"), ("click", "sale", "more")])
async def test_a_scorer_that_gives_other_columns_than_it_is_registered_with_is_a_bug(
    names: tuple[str, ...],
) -> None:
    def ranking(columns: tuple[str, ...]) -> Pipeline[object]:
        return pipeline(FixedChannel("a", [1, 2]), ranking=Ranking(TwoColumns(), 5000.0, columns=columns))

    assert (await run(ranking(("click", "sale")))).items.items.tolist() == [2, 1]
    with pytest.raises(
        StageBug, match=f"registered with the columns {', '.join(names)}, it gave click, sale"
    ):
        await run(ranking(names))
