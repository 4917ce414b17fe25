"""Draws slots in those scenes of an answer that explore, so that still no item appears twice on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.plan import Page
from router.page.arrangement import ScenePage
from router.page.exploration import explore
from router.page.settings import ExplorationSettings

STAGE = "exploration"


class DrawnPage(NamedTuple):
    """One scene's page, and the probabilities of its drawn slots as in `Explored`; None: none are drawn."""

    page: Page
    propensities: NDArray[np.float64] | None


def draw_slots(
    scenes: Sequence[ScenePage],
    pages: Sequence[Page],
    exploration: Sequence[ExplorationSettings | None],
    seeds: Sequence[str],
) -> list[DrawnPage]:
    """The pages with their drawn slots.

    Args:
        scenes: as they were before the page rerankers, with all their ranked candidates.
        pages: of these scenes, as the page rerankers arranged them.
        exploration: settings of each scene; None = it does not explore. A page that no model ordered has no
            scores to draw by and stays as it is.
        seeds: of each scene's draws, as `draw_seed` makes them.
    """
    drawn = [DrawnPage(page, None) for page in pages]
    for index, (scene, settings, seed) in enumerate(zip(scenes, exploration, seeds, strict=True)):
        if settings is None or not scene.page.model.name:
            continue
        shown = np.concatenate([each.page.items.items for each in drawn])
        drawn[index] = _drawn(scene, drawn[index].page, shown, settings, seed)
    return drawn


def _drawn(
    scene: ScenePage, page: Page, shown: NDArray[np.int32], settings: ExplorationSettings, seed: str
) -> DrawnPage:
    ranked, trace = scene.ranked, scene.ranked.trace
    began = trace.clock()
    others = ranked.candidates.take(np.isin(ranked.candidates.items, shown, invert=True))
    explored = explore(page.items, others, settings, seed)
    slots = int(np.count_nonzero(~np.isnan(explored.propensities)))
    trace.record(STAGE, began, len(others), len(explored.items), detail=f"{slots} slots drawn")
    ranked.pipeline.metrics.stage(ranked.pipeline.name, trace.records[-1])
    return DrawnPage(replace(page, items=explored.items, trace=trace.in_order()), explored.propensities)
