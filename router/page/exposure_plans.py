"""Keeps exposure plans on the finished pages of an answer, and counts what each page shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.exposure_pace import pace_of
from features.scene_rules import ExposurePlan, Pin
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.budgeted_swaps import NO_LIMIT, Demands, Swapped, swap_within
from pipeline.venue_order import worth
from router.page.arrangement import ScenePage, structure_of
from router.page.drawn_slots import DrawnPage
from router.page.exposure_plan_metrics import ExposurePlanMetrics
from router.page.pins import passed_filters
from router.page.settings import ExposurePlansSettings
from state.plan_counts.plan_ledger import PlanLedger, Standing

STAGE = "exposure_plans"


class ExposurePlans:
    """Keeps the plans of one replica's pages."""

    def __init__(self, ledger: PlanLedger, metrics: ProcessMetrics) -> None:
        """`ledger`: exposures as this replica knows them."""
        self._ledger = ledger
        self._metrics = metrics.group(ExposurePlanMetrics)

    def keep(
        self,
        scenes: Sequence[ScenePage],
        drawn: Sequence[DrawnPage],
        settings: Sequence[ExposurePlansSettings],
        *,
        counted: bool = True,
    ) -> list[DrawnPage]:
        """The pages as the plans of their scenes, `query.rules`, want them; one scene after another.

        It comes after pins, which keep their slots unless a cap is used up. What a page shows is counted
        before this returns, without a turn of the event loop, so that no two pages use up one exposure.
        `counted` False: the pages are shown to no shopper, and nothing is counted.
        """
        pages = list(drawn)
        for index, (scene, each) in enumerate(zip(scenes, settings, strict=True)):
            plans = scene.ranked.query.rules.plans
            if plans:
                others = [page.page.items.items for place, page in enumerate(pages) if place != index]
                elsewhere = np.concatenate(others) if others else np.empty(0, np.int32)
                pages[index], swapped = _kept(
                    scene, pages[index], plans, elsewhere, each.max_loss, self._ledger, counted
                )
                if counted:
                    self._metrics.observe(scene.ranked.query.scene, swapped)
        return pages


def _kept(
    scene: ScenePage,
    drawn: DrawnPage,
    plans: Sequence[ExposurePlan],
    elsewhere: NDArray[np.int32],
    max_loss: float,
    ledger: PlanLedger,
    counted: bool,
) -> tuple[DrawnPage, Swapped]:
    page, ranked, trace = drawn.page.items, scene.ranked.candidates, scene.ranked.trace
    began, query = trace.clock(), scene.ranked.query
    pool = page.followed_by(ranked.take(np.isin(ranked.items, page.items, invert=True)))
    standings = [ledger.standing(plan.id) for plan in plans]
    paces = [
        pace_of(plan, query.now, 0 if standing is None else standing.shown)
        for plan, standing in zip(plans, standings, strict=True)
    ]
    owed = [plan.item for plan, pace in zip(plans, paces, strict=True) if pace.owed and plan.item]
    pool = pool.followed_by(passed_filters(scene, owed, pool.items))
    most = np.array([_room(plan, each) for plan, each in zip(plans, standings, strict=True)])
    known = np.array([standing is not None for standing in standings])
    better = [NO_LIMIT if pace.ahead_of is None else pace.ahead_of for pace in paces]
    demands = Demands(
        np.array([plan.covers(pool.items) for plan in plans]),
        most,
        np.minimum(better, most),
        np.where(known, [pace.owed for pace in paces], 0),
        np.array([pace.urgency for pace in paces]),
    )
    structure = structure_of(scene.ranked.pipeline.rerankers)
    swapped = swap_within(
        worth(pool.score),
        len(page),
        np.isin(pool.items, elsewhere, invert=True),
        _pinned(page.items, query.rules.pins),
        demands,
        max_loss,
        None if structure is None else structure.column[pool.items],
    )
    shown = demands.members[:, swapped.page].sum(axis=1)
    for place, plan in enumerate(plans):
        lifted, lost = int(swapped.lifted[place]), float(swapped.lost[place])
        if counted and (shown[place] or lost):
            ledger.note(plan.id, int(shown[place]), lifted, lost, plan.slack)
    trace.record(STAGE, began, len(pool), swapped.page.size, detail=_in_words(swapped))
    scene.ranked.pipeline.metrics.stage(scene.ranked.pipeline.name, trace.records[-1])
    propensities = drawn.propensities
    if propensities is not None:
        padded = np.full(len(pool), np.nan)
        padded[: len(page)] = propensities
        propensities = padded[swapped.page]
    changed = replace(drawn.page, items=pool.take(swapped.page), trace=trace.in_order())
    return DrawnPage(changed, propensities), swapped


def _room(plan: ExposurePlan, standing: Standing | None) -> int:
    """Exposures that a page may make of a plan now; none under a cap of which nothing is known yet."""
    if plan.cap is None:
        return NO_LIMIT
    if standing is None:
        return 0
    return max(min(plan.cap - standing.shown, plan.slack - standing.unshared), 0)


def _pinned(items: NDArray[np.int32], pins: Sequence[Pin]) -> NDArray[np.bool_]:
    """bool[n], the slots of a page that show what is pinned to them."""
    kept = np.zeros(items.size, np.bool_)
    for pin in pins:
        slot = min(pin.slot, items.size - 1)
        if slot >= 0:
            item = int(items[slot])
            kept[slot] |= item == pin.item if pin.column is None else int(pin.column[item]) == pin.code
    return kept


def _in_words(swapped: Swapped) -> str:
    lost = max(float(swapped.lost.sum()), 0.0)
    share = lost / swapped.value if swapped.value else 0.0
    return (
        f"{swapped.removed.sum()} taken off, {swapped.held.sum()} held back, {swapped.lifted.sum()} lifted, "
        f"{share:.4f} of {swapped.value:.4f} lost"
    )
