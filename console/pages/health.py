"""Health: throughput, latency, what was degraded and refused, and which versions answer."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.charts import Series, lines
from console.figures import SHOPPERS_METHODS, Figures, Reading, increase, percentile
from console.health_state import parts, state_tiles
from console.router_client import RouterProblem
from console.view import Console

_WINDOW_S = 60.0
_QUANTILES = (50, 95, 99)


async def show(request: Request, console: Console) -> Response:
    """Tiles of the last minute, charts of the last minutes."""
    values: dict[str, Any] = {
        "versions": None,
        "tiles": [],
        "charts_drawn": [],
        "tables": [],
        "reading": None,
        "state_tiles": [],
        "parts": [],
    }
    problem = None
    try:
        values["versions"] = await console.client.versions()
    except RouterProblem as error:
        problem = error
    await console.figures.wanted()
    figures = console.figures
    if figures.readings:
        values["reading"] = figures.readings[-1].at * 1_000
        values["tiles"] = _tiles(figures)
        values["state_tiles"] = state_tiles(figures.readings[-1])
        values["parts"] = parts(figures.readings[-1])
        values["charts_drawn"] = _charts(figures)
        values["tables"] = _tables(figures)
    return await console.render(
        request, "health.html", "Health", problem, counts_problem=figures.problem, **values
    )


def _requests(reading: Reading) -> dict[str, float]:
    return reading.total("shopfront_requests_total", "code", method=SHOPPERS_METHODS)


def _buckets(reading: Reading) -> dict[str, float]:
    return reading.total("shopfront_request_seconds_bucket", "le", method=SHOPPERS_METHODS)


def _tiles(figures: Figures) -> list[tuple[str, float, str, str]]:
    """(name, value, unit, whether it is good, a warning or bad)."""
    pair = figures.window(_WINDOW_S)
    if pair is None:
        return []
    before, after = pair
    seconds = max(after.at - before.at, 0.001)
    codes = increase(_requests(before), _requests(after))
    total, answered = sum(codes.values()), codes.get("OK", 0.0)
    times = increase(_buckets(before), _buckets(after))
    degraded = sum(
        increase(
            before.total("shopfront_degraded_answers_total", "part"),
            after.total("shopfront_degraded_answers_total", "part"),
        ).values()
    )
    refused = total - answered
    busy = max(after.total("shopfront_loop_utilisation", "").values(), default=math.nan)
    tiles = [("Requests", total / seconds, "per second", "plain")]
    tiles += [(f"p{share}", percentile(times, share / 100) * 1_000, "ms", "plain") for share in _QUANTILES]
    tiles += [
        ("Degraded parts", degraded, "in the last minute", "warn" if degraded else "good"),
        ("Not answered OK", refused, "in the last minute", "bad" if refused else "good"),
        ("Event loop busy", busy * 100, "%", "warn" if busy > 0.8 else "good"),
    ]
    return tiles


def _charts(figures: Figures) -> list[tuple[str, Any]]:
    readings = [
        (reading.at, sum(_requests(reading).values()), _buckets(reading)) for reading in figures.readings
    ]
    last = readings[-1][0]
    rate: list[tuple[float, float]] = []
    quantiles: dict[int, list[tuple[float, float]]] = {share: [] for share in _QUANTILES}
    for (began, requests_before, before), (ended, requests, after) in pairwise(readings):
        at, added = ended - last, requests - requests_before
        # Fewer than before: the replicas were started anew.
        rate.append((at, (added if added >= 0 else requests) / max(ended - began, 0.001)))
        times = increase(before, after)
        for share in _QUANTILES:
            quantiles[share].append((at, percentile(times, share / 100) * 1_000))
    return [
        ("Requests per second", lines("Requests per second over time", [Series("requests", rate)], "/s")),
        (
            "Latency",
            lines(
                "Latency percentiles over time, milliseconds",
                [Series(f"p{share}", points) for share, points in quantiles.items()],
                " ms",
            ),
        ),
    ]


def _tables(figures: Figures) -> list[tuple[str, list[tuple[str, float]]]]:
    """Counts since the replicas started, by what is telling about each."""
    last = figures.readings[-1]
    named = (
        ("Calls by status", "shopfront_requests_total", "code"),
        ("Calls by method", "shopfront_requests_total", "method"),
        ("Degraded parts", "shopfront_degraded_answers_total", "part"),
        ("Admission", "shopfront_admission_total", "outcome"),
        ("Items recalled by channel and stage", "shopfront_stage_candidates_out_total", "stage"),
        ("Answers by model version", "shopfront_model_answers_total", "version"),
        ("Events", "shopfront_events_total", "outcome"),
        ("Ratings, 1 to 5", "shopfront_feedback_ratings_total", "value"),
        ("Said of items", "shopfront_feedback_items_total", "said"),
        ("Asked for a rating", "shopfront_feedback_asked_total", "reason"),
        ("Queues now", "shopfront_queue_depth", "queue"),
        ("Snapshots in service", "shopfront_snapshot_info", "snapshot_id"),
    )
    found = [(title, last.total(name, label)) for title, name, label in named]
    return [
        (title, sorted(((name or "–", value) for name, value in sums.items()), key=lambda row: -row[1])[:12])
        for title, sums in found
        if sums
    ]
