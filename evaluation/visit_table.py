"""Visits, simulated: what shoppers who come back see again, and find, with and without templates and fatigue.

Logs without impressions cannot tell what was seen in vain, so these visits are made up: each shopper comes
once a day, looks at the page from the top down to a depth drawn at random, and opens what the test range says
they take, with a fixed chance. What was seen is in the next query as the state store would have it. The
figures compare ways to make a page; they are no forecast of how often anybody comes or looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluation.queries import DAY, QUERY_HISTORY, TestShopper
from evaluation.served_scene import served_items
from pipeline.plan import Pipeline
from recall.query import Query
from recall.triggers import TriggerSettings, select_triggers
from router.query_features.seen import Seen
from router.rerank.registry import RERANKERS
from router.rerank.templates import FATIGUE, TEMPLATES
from snapshot.event_codes import VIEW
from state.user_state import scene_tag

T = TypeVar("T", bound=np.generic)

PAGE = 10
OPENS = 0.5
"""Chance that a shopper opens a wanted item that is looked at."""
MEAN_DEPTH = 6
"""Slots looked at in the mean, before the page's end cuts the draw."""
IN_VAIN = 3
"""Visits that saw an item without its being opened, from which another is counted as one too many."""
COLUMNS = ("seen_again", "seen_in_vain", "different", "found")
CHANGING = tuple(name for name, kind in RERANKERS.items() if kind in (TEMPLATES, FATIGUE))
"""Rerankers by which a page changes from visit to visit."""


@dataclass
class _Memory:
    """What one simulated shopper has seen and opened; newest last."""

    items: list[int] = field(default_factory=list)
    ts: list[int] = field(default_factory=list)
    opened: list[tuple[int, int]] = field(default_factory=list)
    in_vain: dict[int, int] = field(default_factory=dict)
    again: int = 0
    vain: int = 0


def visit_table(
    shoppers: Sequence[TestShopper],
    scenes: Mapping[str, Pipeline[Query]],
    triggers: TriggerSettings,
    visits: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Row → column → value: each scene as served, and without the rerankers `CHANGING`.

    The columns, over all visits:
        seen_again: part of the slots looked at whose item a visit before saw, and that was not opened since.
        seen_in_vain: those of them that `IN_VAIN` visits or more saw.
        different: different items looked at.
        found: wanted items opened.

    Args:
        shoppers: at the cut, with what they take after it; at least one.
        scenes: opened, by name.
        triggers: how the history causes recall.
        visits: of each shopper, a day apart.
        seed: of what is looked at and opened, the same in every row.
    """
    rows = {}
    for name, pipeline in scenes.items():
        rows[name] = asyncio.run(_visited(shoppers, pipeline, triggers, visits, seed))
        still = tuple(stage for stage in pipeline.rerankers if stage.name not in CHANGING)
        rows[f"{name}, the same page"] = asyncio.run(
            _visited(shoppers, replace(pipeline, rerankers=still), triggers, visits, seed)
        )
    return rows


async def _visited(
    shoppers: Sequence[TestShopper],
    pipeline: Pipeline[Query],
    triggers: TriggerSettings,
    visits: int,
    seed: int,
) -> dict[str, float]:
    memories = []
    for number, shopper in enumerate(shoppers):
        random = np.random.default_rng((seed, number))
        memory = _Memory()
        for visit in range(visits):
            query = _query(shopper.query, memory, pipeline.name, shopper.query.now + visit * DAY, triggers)
            page = await served_items(pipeline, query, PAGE)
            depth = min(int(random.geometric(1 / MEAN_DEPTH)), len(page))
            _look(memory, page[:depth], shopper.targets, query.now, random)
        memories.append(memory)
    looked = np.array([len(memory.items) for memory in memories])
    return {
        "seen_again": float(sum(memory.again for memory in memories) / max(looked.sum(), 1)),
        "seen_in_vain": float(sum(memory.vain for memory in memories) / max(looked.sum(), 1)),
        "different": float(np.mean([len(set(memory.items)) for memory in memories])),
        "found": float(np.mean([len(memory.opened) for memory in memories])),
    }


def _query(query: Query, memory: _Memory, scene: str, now: int, triggers: TriggerSettings) -> Query:
    """The shopper's query at a later visit, with what was opened in the history and what was seen."""
    opened = memory.opened[::-1]
    items = _before(query.history_items, [item for item, _ in opened])
    events = _before(query.history_events, [VIEW] * len(opened))
    ts = _before(query.history_ts, [at for _, at in opened])
    chosen, weights = select_triggers(items, events, ts, now, settings=triggers)
    seen = Seen(
        np.array(memory.items[::-1], np.int32),
        np.full(len(memory.items), scene_tag(scene), np.uint32),
        np.array(memory.ts[::-1], np.int64),
    )
    return replace(
        query,
        scene=scene,
        now=now,
        history_items=items,
        history_events=events,
        history_ts=ts,
        triggers=chosen,
        trigger_weights=weights,
        features={**query.features, "seen": seen},
    )


def _before(column: NDArray[T], newest: Sequence[int]) -> NDArray[T]:
    return np.concatenate((np.array(newest, column.dtype), column))[:QUERY_HISTORY]


def _look(
    memory: _Memory,
    looked: NDArray[np.int32],
    wanted: NDArray[np.int32],
    now: int,
    random: np.random.Generator,
) -> None:
    chances = random.random(PAGE)
    for slot, item in enumerate(looked.tolist()):
        times = memory.in_vain.get(item, 0)
        memory.again += times > 0
        memory.vain += times >= IN_VAIN
        memory.items.append(item)
        memory.ts.append(now)
        already = any(item == each for each, _ in memory.opened)
        if item in wanted and not already and chances[slot] < OPENS:
            memory.opened.append((item, now + 1))
            memory.in_vain[item] = 0
        else:
            memory.in_vain[item] = times + 1
