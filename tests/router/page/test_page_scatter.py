"""Scatter over the scenes of a page: rules across borders, given up from the last, and no slot lost."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.candidates import unscored
from pipeline.scatter_order import scatter_scenes
from router.page.contract import RankedScene, check_arranged
from router.page.registry import PAGE_RERANKERS
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, read_scenes
from router.tables.component import Parts
from tests.router.filters.cycle_tables import no_cycles
from tests.router.ranking.queries import query

ITEMS = 24
GROUPS = st.lists(st.lists(st.integers(0, 3), min_size=ITEMS, max_size=ITEMS), min_size=1, max_size=3)
SCENES = st.lists(
    st.tuples(st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=ITEMS), st.integers(0, 8)),
    min_size=1,
    max_size=4,
)
LIMITS = st.lists(
    st.integers(2, 6).flatmap(lambda window: st.tuples(st.just(window), st.integers(1, window - 1))),
    min_size=3,
    max_size=3,
)


def broken(columns: list[list[int]], limits: list[tuple[int, int]], page: list[int], item: int) -> list[bool]:
    return [
        column[item] > 0
        and sum(column[other] == column[item] for other in page[max(0, len(page) - window + 1) :]) >= most
        for column, (window, most) in zip(columns, limits, strict=False)
    ]


@settings(deadline=None)
@given(SCENES, GROUPS, LIMITS)
def test_agrees_with_a_plain_reading_slot_by_slot(
    scenes: list[tuple[list[int], int]], columns: list[list[int]], limits: list[tuple[int, int]]
) -> None:
    limits = limits[: len(columns)]
    items = [np.array(each, np.int32) for each, _ in scenes]
    groups = [[np.array(column, np.int32)[each] for column in columns] for each in items]
    found = scatter_scenes(items, groups, limits, [size for _, size in scenes])
    page: list[int] = []
    shown_of: list[list[int]] = []
    for each, size in scenes:
        shown: list[int] = []
        while len(shown) < size and (left := [item for item in each if item not in page]):
            chosen = min(left, key=lambda item: (broken(columns, limits, page, item), each.index(item)))
            page.append(chosen)
            shown.append(chosen)
        shown_of.append(shown)
    for (each, _), positions, shown in zip(scenes, found, shown_of, strict=True):
        order = [each[position] for position in positions]
        assert order == shown + [item for item in each if item not in page]


@settings(deadline=None)
@given(SCENES.filter(lambda scenes: len(scenes) > 1), GROUPS)
def test_no_slot_is_lost_that_a_scene_could_fill(
    scenes: list[tuple[list[int], int]], columns: list[list[int]]
) -> None:
    given_scenes = [
        RankedScene(query(), size, candidates([item + 1 for item in each])) for each, size in scenes
    ]
    category = np.array([0, *columns[0]], np.int32)
    reranker = opened(category, {"rules": [{"by": "category", "window": 4, "max": 1}]})
    positions = asyncio.run(reranker.arrange(given_scenes))
    check_arranged(given_scenes, positions)
    shown = [
        item
        for scene, chosen in zip(given_scenes, positions, strict=True)
        for item in scene.candidates.items[chosen[: scene.page_size]].tolist()
    ]
    assert len(shown) == len(set(shown))


def candidates(items: list[int]):  # type: ignore[no-untyped-def]
    count = len(items)
    return unscored(
        np.array(items, np.int32),
        np.ones(count, np.uint32),
        np.zeros(count, np.float32),
        np.array([item % 2 for item in items], np.int32),
    )


def opened(category: np.ndarray, raw: dict):  # type: ignore[no-untyped-def, type-arg]
    catalogue = SimpleNamespace(
        brand=np.zeros_like(category),
        titles=lambda items: ["same" if item in (1, 2) else f"{item}" for item in items.tolist()],
        column=lambda name: {"category": category}[name],
    )
    kind = PAGE_RERANKERS["scatter"]
    return kind.create(Parts(catalogue, no_cycles(len(category) - 1)), kind.settings.model_validate(raw))


def pages(
    rules: list[dict[str, object]], category: list[int], *scenes: tuple[list[int], int]
) -> list[list[int]]:
    reranker = opened(np.array(category, np.int32), {"rules": rules})
    given_scenes = [RankedScene(query(), size, candidates(items)) for items, size in scenes]
    positions = asyncio.run(reranker.arrange(given_scenes))
    return [
        scene.candidates.items[chosen[: scene.page_size]].tolist()
        for scene, chosen in zip(given_scenes, positions, strict=True)
    ]


def test_a_window_reaches_over_the_border_of_two_scenes() -> None:
    rules = [{"by": "category", "window": 3, "max": 1}]
    assert pages(rules, [0, 1, 2, 1, 3], ([1, 2], 2), ([3, 4], 2)) == [[1, 2], [4, 3]]


def test_every_dimension_counts_and_the_last_rule_is_given_up_first() -> None:
    category = [0, 1, 2, 1, 2, 3]
    product = {"by": "product", "window": 10, "max": 1}
    # Items 1 and 2 are the same product; 3 causes the same trigger as 1.
    assert pages([product], category, ([1, 2, 3], 2), ([4], 0)) == [[1, 3], []]
    trigger = {"by": "trigger", "window": 2, "max": 1}
    assert pages([product, trigger], category, ([1, 2, 3, 4], 2), ([5], 0)) == [[1, 4], []]
    assert pages([product, trigger], category, ([1, 2, 3], 2), ([5], 0)) == [[1, 3], []]
    assert pages([trigger, product], category, ([1, 2, 3], 2), ([5], 0)) == [[1, 2], []]
    assert pages([{"by": "standard_fine", "window": 2, "max": 1}], category, ([1, 2], 2), ([3], 1)) == [
        [1, 2],
        [3],
    ]


def test_the_table_is_needed_where_a_rule_reads_it_and_a_wrong_dimension_is_refused_by_name() -> None:
    def needed(by: str) -> list[str]:
        text = (
            f"page: {{rerank: {{scatter: {{rules: [{{by: {by}, window: 4, max: 2}}]}}}}}}\n"
            "scenes: {home: {channels: {hot: {}}, rerank: {scatter: {}}}}"
        )
        scenes = read_scenes(text.encode(), "s.yaml", KnownNames(["hot"]))
        return list(tables_of(scenes.by_name.values(), scenes.page))

    assert needed("brand") == []
    assert needed("standard_coarse") == ["standard_categories"]
    with pytest.raises(
        ValidationError, match="standard_fine, standard_coarse, trigger, product; got 'colour'"
    ):
        PAGE_RERANKERS["scatter"].settings.model_validate({"rules": [{"by": "colour"}]})


def test_rules_that_spare_what_a_page_is_about_are_refused() -> None:
    rule = {"by": "category", "window": 4, "max": 2, "spares_anchors": True}
    with pytest.raises(ValidationError, match="a page of several scenes is about no item"):
        PAGE_RERANKERS["scatter"].settings.model_validate({"rules": [rule]})
