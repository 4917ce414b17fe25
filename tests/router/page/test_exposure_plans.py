"""Plans over the traffic of several replicas: reached within the stated loss, capped, evenly paced."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.scene_rules import ExposurePlan, Pin, SceneRules
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.candidates import Candidates, unscored
from pipeline.plan import Page
from pipeline.stages import NO_MODEL
from pipeline.trace import Trace
from recall.query import Query
from router.page.drawn_slots import DrawnPage
from router.page.exposure_plans import ExposurePlans
from router.page.settings import ExposurePlansSettings
from state.plan_counts.plan_count import PlanWindow
from state.plan_counts.plan_ledger import PlanLedger
from tests.state.plan_counts.test_plan_ledger import SharedCounts

START, END, SLOTS, ITEMS = 1_000, 5_000, 8, 60
SHOPS = np.concatenate(([0], np.arange(ITEMS) % 6 + 1)).astype(np.int32)


def plan(name: str, item: int = 0, shop: int = 0, **terms: Any) -> ExposurePlan:
    column = SHOPS if shop else None
    values = {"guarantee": 0, "cap": None, "slack": 10, "even": True} | terms
    return ExposurePlan(name, item, column, item or shop, starts_at=START, ends_at=END, **values)


@dataclass
class Shop:
    """Replicas that answer one after another, over counts that they share."""

    plans: tuple[ExposurePlan, ...]
    max_loss: float = 0.02
    replicas: int = 3
    shared: SharedCounts = field(default_factory=SharedCounts)
    ledgers: list[PlanLedger] = field(init=False)
    pages: list[ExposurePlans] = field(init=False)

    def __post_init__(self) -> None:
        windows = {plan.id: PlanWindow(END, plan.slack) for plan in self.plans}
        self.ledgers = [PlanLedger(self.shared, lambda: windows, f"r{n}") for n in range(self.replicas)]
        metrics = ProcessMetrics()
        self.pages = [ExposurePlans(ledger, metrics) for ledger in self.ledgers]

    def page(self, replica: int, now: int, score: np.ndarray, pins: tuple[Pin, ...] = ()) -> DrawnPage:
        """The page of the best items by `score` float32[ITEMS], as the plans change it."""
        order = np.argsort(-score, kind="stable")
        items = (order + 1).astype(np.int32)
        ranked = scored(items, score[order])
        query = Query(scene="home", now=now, rules=SceneRules(None, pins, self.plans))
        pipeline = SimpleNamespace(
            filters=(), rerankers=(), name="home", metrics=SimpleNamespace(stage=lambda *_: None)
        )
        trace = Trace(lambda: 0.0, 0.0)
        scene: Any = SimpleNamespace(
            ranked=SimpleNamespace(candidates=ranked, query=query, trace=trace, pipeline=pipeline),
            page_size=SLOTS,
        )
        drawn = DrawnPage(Page(ranked.take(slice(SLOTS)), (), [], NO_MODEL), None)
        settings = ExposurePlansSettings(max_loss=self.max_loss)
        (changed,) = self.pages[replica].keep([scene], [drawn], [settings])
        before, after = drawn.page.items, changed.page.items
        assert len(after) == SLOTS
        assert np.unique(after.items).size == SLOTS
        if not any(plan.cap for plan in self.plans):
            assert np.nansum(after.score) >= (1 - self.max_loss) * before.score.sum() - 1e-5
        return changed

    async def serve(self, requests: int, seed: int = 1) -> np.ndarray:
        """Serves the window; int64[requests, plans], what each page showed of each plan."""
        random = np.random.default_rng(seed)
        appeal = np.linspace(0.6, 0.05, ITEMS)
        shown = np.zeros((requests, len(self.plans)), np.int64)
        for ledger in self.ledgers:
            await ledger.exchange()
        for request in range(requests):
            now = START + (END - START) * request // requests
            score = (appeal * random.uniform(0.4, 1.0, ITEMS)).astype(np.float32)
            replica = int(random.integers(self.replicas))
            items = self.page(replica, now, score).page.items.items
            shown[request] = [plan.covers(items).sum() for plan in self.plans]
            if random.random() < 0.4:
                await self.ledgers[replica].exchange()
        for ledger in self.ledgers:
            await ledger.close()
        return shown


def scored(items: np.ndarray, score: np.ndarray) -> Candidates:
    count = items.size
    plain = unscored(items, np.ones(count, np.uint32), np.ones(count, np.float32), np.zeros(count, np.int32))
    return plain.with_score(score.astype(np.float32))


@pytest.mark.slow
def test_a_guarantee_is_reached_evenly_within_the_loss_and_no_more_is_given() -> None:
    shop = Shop((plan("slow", item=25, guarantee=100), plan("shop", shop=3, guarantee=620)), max_loss=0.05)
    shown = asyncio.run(shop.serve(400))
    untouched = asyncio.run(Shop((plan("p", item=25, cap=10**6), plan("s", shop=3, cap=10**6))).serve(400))
    assert untouched[:, 0].sum() < 100
    assert 100 <= shown[:, 0].sum() <= 115
    assert shown[:, 1].sum() >= 620
    halves = shown[:200, 0].sum()
    assert 40 <= halves <= 60
    totals = shop.shared("", {}, {"slow": END, "shop": END})
    assert [totals["slow"].shown, totals["shop"].shown] == shown.sum(axis=0).tolist()


def test_what_cannot_be_afforded_is_not_given() -> None:
    shown = asyncio.run(Shop((plan("last", item=60, guarantee=300),), max_loss=0.0).serve(200))
    assert shown.sum() == 0


@pytest.mark.slow
def test_a_cap_is_paced_and_exceeded_by_the_slack_at_most() -> None:
    shop = Shop((plan("best", item=1, cap=60, slack=5),), max_loss=0.2)
    shown = asyncio.run(shop.serve(400))[:, 0]
    assert 55 <= shown.sum() <= 60 + 2 * 5
    assert 20 <= shown[:200].sum() <= 40
    at_once = asyncio.run(Shop((plan("best", item=1, cap=60, slack=5, even=False),)).serve(400))[:, 0]
    assert at_once[:250].sum() == at_once.sum()
    assert 60 <= at_once.sum() <= 70


async def test_the_same_request_and_state_give_the_same_page() -> None:
    score = np.linspace(0.6, 0.5, ITEMS, dtype=np.float32)
    plans = (plan("a", item=40, guarantee=100), plan("b", shop=2, cap=1, slack=3, even=False))
    pages = []
    for _ in range(2):
        shop = Shop(plans, max_loss=0.1)
        await shop.ledgers[0].exchange()
        first = shop.page(0, START + 2_000, score)
        second = shop.page(0, START + 2_000, score)
        pages.append([first.page.items.items.tolist(), second.page.items.items.tolist()])
        assert 40 in first.page.items.items
    assert pages[0] == pages[1]
    # The second page knows what the first one showed.
    assert plans[1].covers(np.array(pages[0][0])).sum() + plans[1].covers(np.array(pages[0][1])).sum() == 1


async def test_a_cap_of_which_nothing_is_known_yet_shows_nothing_and_pins_keep_their_slots() -> None:
    score = np.linspace(0.6, 0.5, ITEMS, dtype=np.float32)
    shop = Shop((plan("cap", item=1, cap=5), plan("lift", item=50, guarantee=10, even=False)), max_loss=1.0)
    assert shop.page(0, START, score).page.items.items.tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    await shop.ledgers[0].exchange()
    pin = Pin(SLOTS - 1, 8, None, 0)
    assert shop.page(0, START, score, (pin,)).page.items.items.tolist() == [1, 2, 3, 4, 5, 6, 50, 8]


async def test_an_item_that_recall_did_not_find_is_lifted_as_worth_nothing() -> None:
    shop = Shop((plan("lift", item=70, guarantee=10, even=False),), max_loss=0.13)
    await shop.ledgers[0].exchange()
    score = np.linspace(0.6, 0.5, ITEMS, dtype=np.float32)
    assert shop.page(0, START, score).page.items.items.tolist() == [1, 2, 3, 4, 5, 6, 7, 70]
    shop.max_loss = 0.1
    assert shop.page(0, START, score).page.items.items.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
