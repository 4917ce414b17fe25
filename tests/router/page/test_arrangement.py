"""The page: no item twice, no slot lost, and what a page reranker may and may not do."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import runner
from pipeline.candidates import unscored
from pipeline.plan import Page, Pipeline
from pipeline.stages import ContractError, DependencyError, StageBug
from router.page.arrangement import PageArrangement, ScenePage
from router.page.contract import RankedScene, check_arranged
from router.page.no_repeats import NoRepeats
from router.page.registry import PAGE_RERANKERS
from router.rerank.registry import RERANKERS
from tests.pipeline.stand_ins import FixedChannel, RecordingMetrics
from tests.pipeline.test_runner import pipeline
from tests.router.ranking.queries import query


async def ranked(tested: Pipeline[object], page_size: int, slots: int, seconds: float = 60.0) -> ScenePage:
    ranked = await runner.rank(tested, query(), slots, time.monotonic() + seconds, time.monotonic)
    return ScenePage(ranked, runner.arrange(ranked, slots), page_size)  # type: ignore[arg-type]


async def arranged(
    arrangement: PageArrangement, scenes: Sequence[tuple[Pipeline[object], int]], seconds: float = 60.0
) -> list[Page]:
    slots = arrangement.slots([page_size for _, page_size in scenes])
    pages = [await ranked(*scene, count, seconds) for scene, count in zip(scenes, slots, strict=True)]
    return await arrangement.arrange(pages)


def by_hand(items: Sequence[Sequence[int]], page_sizes: Sequence[int]) -> list[list[int]]:
    """Each scene's own order without the items of the pages before it."""
    taken: set[int] = set()
    pages = []
    for each, page_size in zip(items, page_sizes, strict=True):
        page = [item for item in each if item not in taken][:page_size]
        taken |= set(page)
        pages.append(page)
    return pages


SCENES = st.lists(
    st.tuples(st.lists(st.integers(1, 40), unique=True, max_size=30), st.integers(1, 12)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(scenes=SCENES)
def test_an_item_appears_once_and_no_page_is_short_for_it(scenes: list[tuple[list[int], int]]) -> None:
    tested = [(pipeline(FixedChannel("a", items)), page_size) for items, page_size in scenes]
    pages = asyncio.run(arranged(PageArrangement([NoRepeats()]), tested))
    assert [page.items.items.tolist() for page in pages] == by_hand(*zip(*scenes, strict=True))


def test_a_scene_is_ranked_for_the_slots_of_the_scenes_before_it_too() -> None:
    assert PageArrangement([]).slots([3, 5, 2]) == [3, 8, 10]
    assert PageArrangement([]).slots([7]) == [7]


def scene(items: Sequence[int], page_size: int) -> RankedScene:
    column = np.array(items, np.int32)
    count = column.size
    return RankedScene(
        query(),
        page_size,
        unscored(column, np.ones(count, np.uint32), np.zeros(count, np.float32), np.zeros(count, np.int32)),
    )


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([[0, 1]], "1 scenes returned where 2 were given"),
        ([[0, 0], [0, 1]], "a position comes twice"),
        ([[0, 3], [0, 1]], r"outside 0…2"),
        ([[0, 1], [0]], "shows 1 of its candidates nowhere"),
        ([[0.0, 1.0], [0, 1]], "must be integers"),
    ],
)
def test_a_page_that_breaks_the_contract_is_refused(positions: list[list[float]], message: str) -> None:
    scenes = [scene([1, 2, 3], 2), scene([2, 4], 2)]
    with pytest.raises(ContractError, match=message):
        check_arranged(scenes, [np.array(each) for each in positions])


def test_a_short_scene_is_right_where_the_page_shows_all_its_candidates() -> None:
    check_arranged([scene([1, 2], 2), scene([2, 4], 2)], [np.array([0, 1]), np.array([1])])
    # An item that is only a spare of another scene is not shown.
    with pytest.raises(ContractError, match="shows 1 of its candidates nowhere"):
        check_arranged([scene([1, 3, 2], 2), scene([2, 4], 2)], [np.array([0, 1, 2]), np.array([1])])


@settings(max_examples=100, deadline=None)
@given(scenes=SCENES)
def test_no_repeats_keeps_the_contract(scenes: list[tuple[list[int], int]]) -> None:
    given_ = [scene(*each) for each in scenes]
    check_arranged(given_, asyncio.run(NoRepeats().arrange(given_)))


@dataclass
class Scripted:
    """Does as it is told."""

    name: str = "scripted"
    error: Exception | None = None
    delay: float = 0.0
    positions: Sequence[Sequence[int]] | None = None
    wanted: int = 0
    seen: list[list[int]] = field(default_factory=list)

    def slots(self, page_sizes: Sequence[int]) -> list[int]:
        return [self.wanted] * len(page_sizes)

    async def arrange(self, scenes: Sequence[RankedScene]) -> list[np.ndarray]:
        self.seen += [each.candidates.items.tolist() for each in scenes]
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        if self.positions is None:
            return [np.arange(len(each.candidates)) for each in scenes]
        return [np.array(each, np.intp) for each in self.positions]


def two(metrics: RecordingMetrics | None = None) -> list[tuple[Pipeline[object], int]]:
    parts = {"metrics": metrics} if metrics else {}
    return [
        (pipeline(FixedChannel("a", [1, 2, 3]), **parts), 2),
        (pipeline(FixedChannel("a", [2, 4, 5, 6]), **parts), 2),
    ]


async def test_a_page_reranker_moves_items_and_repeats_still_go() -> None:
    metrics = RecordingMetrics()
    scripted = Scripted(positions=[[2, 0], [1, 0, 2]], wanted=3)
    pages = await arranged(PageArrangement([scripted]), two(metrics))
    assert [page.items.items.tolist() for page in pages] == [[3, 1], [4, 2]]
    assert scripted.seen == [[1, 2, 3], [2, 4, 5, 6]]
    for page in pages:
        assert [record.stage for record in page.trace][-2:] == ["page:scripted", "page:no_repeats"]
        assert page.degraded == ()
    assert [record.stage for _, record in metrics.stages].count("page:scripted") == 2
    # One that repeats an item is corrected: the service promises it, whatever is configured.
    repeating = await arranged(PageArrangement([NoRepeats(), Scripted(positions=[[1, 0], [0, 1]])]), two())
    assert [page.items.items.tolist() for page in repeating] == [[2, 1], [4, 5]]


async def test_slots_are_the_most_that_one_of_them_wants() -> None:
    scripted = Scripted(wanted=3)
    await arranged(PageArrangement([scripted]), two())
    assert scripted.seen == [[1, 2, 3], [2, 4, 5, 6]]


@pytest.mark.parametrize(
    "broken",
    [Scripted(error=DependencyError("down")), Scripted(error=TimeoutError("slow")), Scripted(delay=60)],
)
async def test_a_page_reranker_that_fails_or_is_late_changes_nothing_and_is_named(broken: Scripted) -> None:
    began = time.monotonic()
    pages = await arranged(PageArrangement([broken]), two(), seconds=0.5)
    assert time.monotonic() - began < 5
    assert [page.items.items.tolist() for page in pages] == [[1, 2], [4, 5]]
    for page in pages:
        assert page.degraded == ("page:scripted",)
        record = next(record for record in page.trace if record.stage == "page:scripted")
        assert record.outcome in ("failed", "timeout")
        assert record.count_in == record.count_out


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("spared", [False, True])
async def test_a_late_page_goes_without_what_spreads_it_alone(late: bool, spared: bool) -> None:
    now = 0.0
    scripted = Scripted(positions=[[1, 0], [1, 0, 2, 3]])
    arrangement = PageArrangement([scripted], spared_late={"scripted"} if spared else ())
    scenes = []
    for (tested, page_size), slots in zip(two(), arrangement.slots([2, 2]), strict=True):
        # The second scene has twice the time; the answer waits for it.
        at_rank = await runner.rank(tested, query(), slots, 1.0 + len(scenes), lambda: now)
        scenes.append(ScenePage(at_rank, runner.arrange(at_rank, slots), page_size))  # type: ignore[arg-type]
    cutoff = scenes[1].ranked.cutoffs.page
    now = cutoff if late else math.nextafter(cutoff, 0.0)
    pages = await arrangement.arrange(scenes)
    # Repeats go however late it is, and no slot is lost.
    left_out = late and spared
    assert [page.items.items.tolist() for page in pages] == (
        [[1, 2], [4, 5]] if left_out else [[2, 1], [4, 5]]
    )
    assert bool(scripted.seen) != left_out
    assert {page.degraded for page in pages} == {("page:scripted",) if left_out else ()}


def test_what_spreads_items_is_spared_late_and_no_rule_of_the_page() -> None:
    assert {name for name, kind in PAGE_RERANKERS.items() if kind.spared_late} == {"scatter"}
    assert {name for name, kind in RERANKERS.items() if kind.spared_late} == {"scatter", "mmr", "dpp"}


@pytest.mark.parametrize(
    "broken",
    [Scripted(error=KeyError("typo")), Scripted(positions=[[0], [1, 2]]), Scripted(positions=[[0, 1]])],
)
async def test_a_bug_or_a_lost_slot_is_a_bug_of_that_page_reranker(broken: Scripted) -> None:
    with pytest.raises(StageBug, match="page:scripted") as raised:
        await arranged(PageArrangement([broken]), two())
    assert raised.value.trace[-1].stage == "page:scripted"


async def test_a_page_of_one_scene_is_shown_as_it_is() -> None:
    scripted = Scripted()
    (page,) = await arranged(PageArrangement([scripted]), two()[:1])
    assert page.items.items.tolist() == [1, 2]
    assert scripted.seen == []
