"""Where a request's time goes, from its trace."""

from __future__ import annotations

import pytest

from benchmarks.end_to_end import shares_of
from protos.shopfront.v1.recommend_pb2 import StageTrace, Trace


def test_what_runs_side_by_side_counts_once() -> None:
    traces = [
        _trace(
            ("channel:hot", 1, 2),
            ("channel:mind", 1, 3),
            ("filter:adult", 4, 0.5),
            ("filter:excluded", 4.5, 0.5),
            ("ranking:logistic", 5, 1),
            ("ranking", 5, 2),
            ("merge:log_odds", 7, 1),
        ),
        _trace(("channel:hot", 1, 1), ("ranking", 5, 4)),
    ]
    rows = shares_of(traces)
    means = {row["stage"]: row["mean_ms"] for row in rows}
    assert means["recall"] == (3 + 1) / 2
    assert means["ranking"] == (2 + 4) / 2
    assert (means["filter"], means["merge"]) == (0.5, 0.5)
    assert (means["  channel:hot"], means["  ranking"], means["  ranking:logistic"]) == (1.5, 3, 0.5)
    whole = [row for row in rows if not row["stage"].startswith(" ")]
    assert sum(row["share"] for row in whole) == pytest.approx(1)
    assert sum(row["mean_ms"] for row in whole) == pytest.approx(10)
    # Kinds first, the longest of each before the others.
    assert [row["stage"] for row in rows[:2]] == ["state, query, response", "ranking"]
    assert rows[len(whole)]["stage"] == "  ranking"


def _trace(*stages: tuple[str, float, float]) -> Trace:
    return Trace(
        stages=[StageTrace(stage=name, start_ms=start, elapsed_ms=took) for name, start, took in stages],
        total_ms=10,
    )
