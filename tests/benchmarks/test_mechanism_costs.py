"""What the mechanism costs: candidates that are worth asking about, and a row for every component."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.channel_costs import queries_of, synthetic_catalogue, synthetic_log
from benchmarks.mechanism_costs import CANDIDATES, TABLES, candidates_of, measure, with_seen
from router.filters.registry import FILTERS
from router.fusion.registry import FUSIONS
from router.page.registry import PAGE_RERANKERS
from router.rerank.registry import RERANKERS


def test_candidates_are_the_history_then_items_of_its_categories_then_others(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    catalogue = synthetic_catalogue(tmp_path / "shop", 20_000, random)
    log = synthetic_log(catalogue, 4_000, random)
    (query,) = queries_of(log, 1, random)
    found = candidates_of(query, catalogue, random)
    known = np.unique(query.history_items).size
    assert len(found) == CANDIDATES == np.unique(found.items).size
    assert set(found.items[:known].tolist()) == set(query.history_items.tolist())
    near = np.isin(catalogue.category[found.items], catalogue.category[query.history_items])
    assert near.all()
    assert (np.diff(found.score) < 0).all()
    assert np.isin(found.trigger, query.triggers).all()
    seen = with_seen(query, found).features["seen"].in_scene(query.scene)
    assert seen.items.size == 100
    assert (seen.ts < query.now).all()


def test_every_component_and_table_has_a_row() -> None:
    tables, calls = measure(items=2_000, events=5_000, requests=5, seed=0)
    assert list(tables) == [table.name for table in TABLES]
    assert all(mib > 0 for _, mib in tables.values())
    wanted = {
        *(f"filter {name}" for name in FILTERS),
        *(f"rerank {name}" for name in RERANKERS),
        "rerank scatter, 7 rules",
        *(f"fusion {name}" for name in FUSIONS),
        *(f"page {name}" for name in PAGE_RERANKERS),
    }
    assert set(calls) == wanted
    assert all(0 < cost.median_ms <= cost.p99_ms for cost in calls.values())
