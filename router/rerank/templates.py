"""Templates: pages in turn, one a visit, so that who comes back without a wish sees something else.

The ranked candidates are the templates one after another: what the shopper's earlier visits saw of the scene
makes room for all else, so that the page goes on where the last one seen ended. Only what the client reported
as seen counts; an app that starts and shows nothing uses nothing up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from features.visits import fruitless, shown_before, visit_start
from pipeline.candidates import Candidates
from recall.query import Query
from router.query_features.seen import Seen
from router.rerank.kind import RerankerKind
from router.tables.component import Parts

_MINUTE_S = 60
_DAY_S = 86_400


class TemplatesSettings(BaseModel):
    """Shows the next of several pages at the next visit, where the client reports what was seen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    count: int = Field(
        default=3,
        ge=1,
        le=20,
        description="Pages that visits without a behaviour between them see in turn, before the first comes "
        "again; 1 = always the first.",
    )
    idle_minutes: float = Field(
        default=30.0, gt=0, le=10_000, description="Minutes without any sign of the shopper that end a visit."
    )
    fixed: int = Field(
        default=0,
        ge=0,
        le=100,
        description="First slots that are the same in every template; the others turn.",
    )


class FatigueSettings(BaseModel):
    """Moves down what visits saw again and again without the shopper doing anything with it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    free: int = Field(
        default=3,
        ge=0,
        le=1_000,
        description="Visits that may see an item, in any scene, without the shopper doing anything with it.",
    )
    slots: int = Field(
        default=5, ge=0, le=1_000, description="Slots by which the item sinks with every further visit."
    )
    days: float = Field(default=30.0, gt=0, le=3_650, description="Days within which visits count.")
    idle_minutes: float = Field(
        default=30.0, gt=0, le=10_000, description="Minutes without seeing anything that end a visit."
    )


@dataclass(frozen=True, slots=True)
class Templates:
    """Leaves what earlier visits saw of the scene since the last behaviour out, or behind all else.

    It is left out where the others fill the page: rerankers that follow weigh likeness or novelty against
    scores, and would take it back from behind.
    """

    settings: TemplatesSettings
    name: str = "templates"

    def order(self, query: Query, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """intp[m]: the templates not seen yet; where they are less than the page, then those seen."""
        seen: Seen = query.features["seen"]
        if not seen.items.size:
            return np.arange(len(candidates))
        idle_s = int(self.settings.idle_minutes * _MINUTE_S)
        signs = np.sort(np.concatenate((seen.ts, query.history_ts)))[::-1]
        here = seen.in_scene(query.scene)
        since = int(query.history_ts[0]) if query.history_ts.size else 0
        start = visit_start(signs, query.now, idle_s)
        before = shown_before(here.items, here.ts, start, since, idle_s, self.settings.count)
        behind = np.isin(candidates.items, before)
        behind[: self.settings.fixed] = False
        fresh = np.flatnonzero(~behind)
        if fresh.size >= page_size:
            return fresh
        return np.concatenate((fresh, np.flatnonzero(behind)))


@dataclass(frozen=True, slots=True)
class Fatigue:
    """Sinks what many visits saw without the shopper doing anything with it."""

    settings: FatigueSettings
    name: str = "fatigue"

    def order(self, query: Query, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Positions int[n], by the place that each candidate sinks to."""
        seen: Seen = query.features["seen"]
        lately = seen.ts > query.now - self.settings.days * _DAY_S
        places = np.arange(len(candidates))
        if not lately.any():
            return places
        idle_s = int(self.settings.idle_minutes * _MINUTE_S)
        items, visits = fruitless(
            seen.items[lately], seen.ts[lately], query.history_items, query.history_ts, idle_s
        )
        tired = visits > self.settings.free
        if not tired.any():
            return places
        sunk = np.zeros(len(candidates), np.int64)
        _, here, there = np.intersect1d(candidates.items, items[tired], return_indices=True)
        sunk[here] = (visits[tired][there] - self.settings.free) * self.settings.slots
        # Behind the item whose place it sinks to: half a slot, in whole numbers.
        return np.argsort(2 * (places + sunk) + (sunk > 0), kind="stable")


def _templates(parts: Parts, settings: TemplatesSettings) -> Templates:
    return Templates(settings)


def _fatigue(parts: Parts, settings: FatigueSettings) -> Fatigue:
    return Fatigue(settings)


TEMPLATES = RerankerKind(settings=TemplatesSettings, create=_templates, features=("seen",))
FATIGUE = RerankerKind(settings=FatigueSettings, create=_fatigue, features=("seen",))
