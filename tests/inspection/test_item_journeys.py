"""Where an item was on its way and where it was lost; an observed request makes the page of the runner."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.scene_rules import Pin, SceneRules
from inspection.item_journeys import Journey, journey
from inspection.observed_request import Observation, finish, observe
from pipeline.plan import Backfill, ChannelSlot, Page, Pipeline, Prerank, Ranking
from pipeline.runner import run
from recall.query import Query
from router.page.arrangement import ScenePage
from router.scenes.settings import SceneSettings
from tests.pipeline.stand_ins import FirstComeFusion, FixedChannel, FixedOrder, RuleFilter, RuleScorer
from tests.router.page.test_exposure_plans import Shop, plan

QUERY = Query(scene="home", now=0)


def pipeline(**changes: Any) -> Pipeline[Query]:
    """Items 1…30 by two channels; even ones are filtered, 7 and 14 by another; a higher item ranks higher."""
    parts: dict[str, Any] = {
        "name": "home",
        "channels": (
            ChannelSlot(FixedChannel("near", range(1, 21)), 20, 1_000.0),
            ChannelSlot(FixedChannel("far", range(30, 10, -1)), 20, 1_000.0),
        ),
        "fusion": FirstComeFusion(),
        "filters": (
            RuleFilter("even", lambda item: item % 2 == 1),
            RuleFilter("seven", lambda item: item % 7),
        ),
        "ranking": Ranking(RuleScorer(float), 1_000.0),
        "candidates": 10,
        "oversample": 2.8,
    }
    return Pipeline(**(parts | changes))


def observed(built: Pipeline[Query], page_size: int = 3) -> tuple[Page, Observation]:
    """The page and what was seen of it."""
    scene, seen = observed_scene(built, page_size)
    return scene.page, seen


def observed_scene(
    built: Pipeline[Query], page_size: int = 3, query: Query = QUERY
) -> tuple[ScenePage, Observation]:
    """The scene as the pipeline leaves it, and what was seen of it."""
    now = time.monotonic()
    return asyncio.run(observe(built, query, page_size, now + 5, time.monotonic, now))


def way(item: int, seen: Observation, page_size: int = 3) -> Journey:
    """The way of one item."""
    return journey(item, seen, ("near", "far"), page_size)


def test_every_place_where_an_item_can_be_lost_is_told() -> None:
    built = pipeline()
    page, seen = observed(built)
    assert [step.stage for step in seen.steps] == [
        "fusion", "filter:even", "filter:seven", "limit", "ranking", "page",
    ]  # fmt: skip
    # Fusion: 1…20, then 30…23 (28 in all); of the odd ones without 7 the first ten (1…19 and 29), best first.
    shown = page.items.items.tolist()
    assert shown == [29, 19, 17]
    first = way(shown[0], seen)
    assert (first.position, first.loss, first.scores) == (1, None, {"score": float(shown[0])})
    assert [rank.stage for rank in first.ranks] == [step.stage for step in seen.steps]
    losses = {item: way(item, seen).loss for item in (0, 99, 21, 22, 4, 7, 27, 1)}
    stages = {item: loss.stage for item, loss in losses.items() if loss}
    assert stages == {
        0: "catalogue", 99: "recall", 21: "fusion", 22: "fusion", 4: "filter:even", 7: "filter:seven",
        27: "limit", 1: "page",
    }  # fmt: skip
    assert losses[27] is not None
    assert losses[27].to == 29
    assert losses[1] is not None
    assert losses[1].to == shown[-1]
    assert "far recalled it as number 10 of 20" in (losses[21].because if losses[21] else "")


def test_a_reranker_that_moves_an_item_off_the_page_is_named_with_who_took_the_slot() -> None:
    _, plain = observed(pipeline())
    best = plain.steps[-1].items.tolist()
    down = FixedOrder("down", lambda count: [*range(1, count), 0])
    page, seen = observed(pipeline(rerankers=(down,)))
    lost = way(best[0], seen).loss
    assert lost is not None
    assert lost.stage == "rerank:down"
    assert lost.to == page.items.items[-1] != best[0]


def test_an_item_that_backfill_brings_has_a_way_although_fusion_never_had_it() -> None:
    more = FixedChannel("more", range(101, 200))
    built = pipeline(
        channels=(ChannelSlot(FixedChannel("near", [2, 4, 5]), 20, 1_000.0),), backfill=Backfill(more)
    )
    page, seen = observed(built)
    assert 5 in page.items.items
    filled = [item for item in page.items.items.tolist() if item > 100]
    found = journey(filled[0], seen, ("near",), 3)
    assert found.position > 0
    assert not found.channels
    assert found.ranks[0].rank == 0


def test_what_changes_a_finished_page_is_shown_and_not_counted() -> None:
    plans = Shop((plan("lifted", item=11, guarantee=1, cap=1), plan("capped", item=29, cap=1)), replicas=1)
    asyncio.run(plans.ledgers[0].exchange())
    plans.ledgers[0].note("capped", 1, 0, 0.0, 10)
    pinned = replace(QUERY, now=4_999, rules=SceneRules(None, (Pin(1, 13, None, 0),), plans.plans))
    scene, seen = observed_scene(pipeline(), query=pinned)
    page = finish(scene, seen, SceneSettings(exposure_plans={"max_loss": 0.9}), plans.pages[0], "r1")
    assert [step.stage for step in seen.steps[-3:]] == ["page", "pins", "exposure_plans"]
    assert scene.page.items.items.tolist() == [29, 19, 17]
    shown = page.items.items.tolist()
    assert shown[1] == 13
    assert 29 not in shown
    assert [way(item, seen).position for item in shown] == [1, 2, 3]
    losses = {item: way(item, seen).loss for item in (29, 17, 1)}
    stages = {item: loss.stage for item, loss in losses.items() if loss}
    assert stages == {29: "exposure_plans", 17: "pins", 1: "page"}
    standings = [plans.ledgers[0].standing(each.id) for each in plans.plans]
    assert [each.shown for each in standings if each] == [0, 1]


def test_prerank_is_a_stage_of_its_own() -> None:
    built = pipeline(prerank=Prerank(Ranking(RuleScorer(lambda item: -item), 1_000.0), 12), candidates=5)
    _, seen = observed(built)
    assert "prerank" in [step.stage for step in seen.steps]
    lost = way(19, seen).loss
    assert lost is not None
    assert lost.stage == "prerank"


@settings(max_examples=40)
@given(
    items=st.lists(st.integers(1, 60), unique=True, max_size=40),
    others=st.lists(st.integers(1, 60), unique=True, max_size=40),
    candidates=st.integers(1, 40),
    page_size=st.integers(1, 12),
    modulus=st.integers(2, 7),
)
def test_what_is_observed_is_what_a_shopper_gets(
    items: list[int], others: list[int], candidates: int, page_size: int, modulus: int
) -> None:
    def build() -> Pipeline[Query]:
        return pipeline(
            channels=(
                ChannelSlot(FixedChannel("near", items), 20, 1_000.0),
                ChannelSlot(FixedChannel("far", others), 20, 1_000.0),
            ),
            filters=(RuleFilter("rule", lambda item: bool(item % modulus)),),
            rerankers=(FixedOrder("reverse", lambda count: range(count - 1, -1, -1)),),
            candidates=candidates,
            backfill=Backfill(FixedChannel("more", range(100, 130)), limit=50),
        )

    now = time.monotonic()
    plain = asyncio.run(run(build(), QUERY, page_size, now + 5, time.monotonic))
    page, seen = observed(build(), page_size)
    np.testing.assert_array_equal(page.items.items, plain.items.items)
    assert [record.stage for record in page.trace] == [record.stage for record in plain.trace]
    asked = {*items[:20], *others[:20]}
    for item in {*items, *others}:
        found = journey(item, seen, ("near", "far"), page_size)
        assert (found.position > 0) == (item in plain.items.items)
        assert (found.loss is None) == (found.position > 0)
        # A channel is asked for 20 items.
        assert bool(found.channels) == (item in asked)
