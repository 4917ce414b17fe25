"""The rerankers of one pipeline, in turn."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TypeVar

from pipeline.candidates import Candidates
from pipeline.contracts import check_order
from pipeline.guard import LATE, OUTAGES, Outage, bugs_of, record_outage
from pipeline.stages import Reranker
from pipeline.trace import Trace

Q = TypeVar("Q")


def in_page_order(
    rerankers: Sequence[Reranker[Q]],
    query: Q,
    candidates: Candidates,
    page_size: int,
    trace: Trace,
    spared_late: Collection[str] = (),
    cutoff: float = math.inf,
) -> Candidates:
    """Candidates in page order, spares behind the page; a reranker whose dependency failed changes nothing.

    Nor does one of these names in `spared_late` whose turn comes at `cutoff` (seconds on the clock of
    `trace`) or later; `degraded` names both. Raises `StageBug` where a reranker fails for another reason or
    breaks its contract.
    """
    for reranker in rerankers:
        if reranker.name in spared_late and (now := trace.clock()) >= cutoff:
            record_outage(trace, f"rerank:{reranker.name}", now, len(candidates), LATE)
        else:
            candidates = _reranked(reranker, query, candidates, page_size, trace)
    return candidates


def _reranked(
    reranker: Reranker[Q], query: Q, candidates: Candidates, page_size: int, trace: Trace
) -> Candidates:
    stage = f"rerank:{reranker.name}"
    began = trace.clock()
    try:
        with bugs_of(stage, apart_from=OUTAGES):
            positions = reranker.order(query, candidates, page_size)
            check_order(positions, len(candidates), page_size)
    except OUTAGES as error:
        record_outage(trace, stage, began, len(candidates), Outage("failed", str(error)))
        return candidates
    trace.record(stage, began, len(candidates), positions.size)
    return candidates.take(positions)
