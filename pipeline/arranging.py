"""The rerankers of one pipeline, in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pipeline.candidates import Candidates
from pipeline.contracts import check_order
from pipeline.guard import OUTAGES, Outage, bugs_of, record_outage
from pipeline.stages import Reranker
from pipeline.trace import Trace

Q = TypeVar("Q")


def in_page_order(
    rerankers: Sequence[Reranker[Q]], query: Q, candidates: Candidates, page_size: int, trace: Trace
) -> Candidates:
    """Candidates in page order, spares behind the page; a reranker whose dependency failed changes nothing.

    Raises `StageBug` where a reranker fails for another reason or breaks its contract.
    """
    for reranker in rerankers:
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
