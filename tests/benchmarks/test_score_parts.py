"""The benchmark of split scoring runs against real servers and compares every way with one call on one."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from benchmarks import score_parts
from benchmarks.score_parts import CALLERS, INSTANCES, PARTS, measure, table, tritons
from testing.triton_models import ITEMS
from testing.triton_server import tiny_repository


@pytest.mark.slow
async def test_every_way_is_measured_against_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_parts, "CANDIDATES", (500,))
    with tritons(tiny_repository(tmp_path / "source"), tmp_path) as servers:
        rows = await measure(servers, ITEMS, rounds=2, seed=1)
    ways = [(row.parts, row.instances, row.callers) for row in rows]
    assert sorted(ways) == sorted(product(PARTS, INSTANCES, CALLERS))
    for row in rows:
        assert 0 < row.p50_ms <= row.p99_ms
        assert row.per_s > 0
        assert (row.faster == 1.0) or (row.parts, row.instances) != (1, 1)
    assert len(table(rows).splitlines()) == len(rows) + 1


def test_a_workspace_without_a_model_is_refused(tmp_path: Path) -> None:
    empty = score_parts.ModelRepository(tmp_path)
    with pytest.raises(SystemExit, match="has no version of bst"), tritons(empty, tmp_path):
        pytest.fail("nothing can be measured")
