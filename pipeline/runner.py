"""Runs a pipeline for one request: `rank` finds and orders candidates, `arrange` makes a page of them."""

from __future__ import annotations

from typing import TypeVar

from pipeline.arranging import in_page_order
from pipeline.current_stage import PIPELINE
from pipeline.plan import Page, Pipeline, Ranked
from pipeline.request import Request
from pipeline.stages import StageBug
from pipeline.trace import Clock, Trace

Q = TypeVar("Q")


async def run(
    pipeline: Pipeline[Q],
    query: Q,
    page_size: int,
    deadline: float,
    clock: Clock,
    *,
    arrived: float | None = None,
    width: float = 1.0,
) -> Page:
    """The page of `page_size` slots (above 0) for `query`: `rank`, then `arrange`.

    Arguments and errors as of these two.
    """
    ranked = await rank(pipeline, query, page_size, deadline, clock, arrived=arrived, width=width)
    return arrange(ranked, page_size)


async def rank(
    pipeline: Pipeline[Q],
    query: Q,
    slots: int,
    deadline: float,
    clock: Clock,
    *,
    arrived: float | None = None,
    width: float = 1.0,
) -> Ranked[Q]:
    """Candidates for `query`, best first, enough for `slots` slots where the pipeline finds as many.

    Args:
        pipeline: channels, filters and scorers to run.
        query: passed to every stage.
        slots: above 0.
        deadline: point in time in seconds on `clock` by which the caller needs the page.
        clock: monotonic seconds.
        arrived: when the request came in, from which the trace counts; default: now.
        width: part, above 0 and at most 1, of the channels' k and of the candidates that the request is
            given; less than 1 under overload. The page is no shorter for it.

    A stage whose dependency failed or whose time ran out is named in `degraded`. A cancellation stops every
    channel and is passed on.

    Raises:
        DeadlineExceeded: no time is left at the start.
        StageBug: a stage failed for any other reason than a dependency or its time.
    """
    if slots < 1:
        raise ValueError(f"page_size must be at least 1, got {slots}")
    PIPELINE.set(pipeline.name)
    now = clock()
    cutoffs = pipeline.division.cutoffs(now, deadline)
    trace = Trace(clock, now if arrived is None else arrived)
    request = Request(pipeline, query, slots, cutoffs, clock, trace, width)
    try:
        candidates, model = await request.rank()
    except StageBug as bug:
        complete(bug, trace)
        raise
    finally:
        for record in trace.records:
            pipeline.metrics.stage(pipeline.name, record)
    return Ranked(pipeline, query, slots, candidates, model, cutoffs, trace)


def arrange(ranked: Ranked[Q], page_size: int) -> Page:
    """The page of `page_size` slots that the pipeline's rerankers make of ranked candidates.

    A reranker whose dependency failed is named in `degraded`, and so is one of `Pipeline.spared_late` whose
    turn comes after the page's cutoff. Raises `StageBug` where one failed for another reason.
    """
    pipeline, trace = ranked.pipeline, ranked.trace
    reported = len(trace.records)
    try:
        items = in_page_order(
            pipeline.rerankers,
            ranked.query,
            ranked.candidates,
            page_size,
            trace,
            pipeline.spared_late,
            ranked.cutoffs.page,
        )
    except StageBug as bug:
        complete(bug, trace)
        raise
    finally:
        for record in trace.records[reported:]:
            pipeline.metrics.stage(pipeline.name, record)
    items = items.take(slice(page_size))
    degraded = tuple(trace.degraded)
    pipeline.metrics.page(pipeline.name, page_size, len(items), degraded)
    return Page(items, degraded, trace.in_order(), ranked.model)


def complete(bug: StageBug, trace: Trace) -> None:
    """Records the failed stage of `bug` in the trace, and gives the bug the whole trace."""
    kind = type(bug.cause).__name__
    trace.record(bug.stage, trace.clock(), 0, 0, outcome="failed", detail=f"bug: {kind}: {bug.cause}")
    bug.trace = tuple(trace.in_order())
