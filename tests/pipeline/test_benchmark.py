"""The benchmark compares like with like: it refuses to time stages that disagree."""

from __future__ import annotations

from benchmarks.pipeline import measure


async def test_every_pair_agrees_and_has_a_ratio() -> None:
    table = await measure(rounds=2, seed=1)
    assert len(table) == 3
    for row in table.values():
        assert row["ratio"] > 0
