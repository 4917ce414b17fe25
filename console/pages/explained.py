"""Why and Trace: a page made once more, with the way of its items and the time of its stages."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.charts import Span, distribution, waterfall
from console.figures import increase, percentile
from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import admin_pb2

_PAGE_SIZE = 20
_WINDOW_S = 300.0
_SLOWEST = 10


async def why(request: Request, console: Console) -> Response:
    """The page as a table, and one item's way through the stages."""
    asked = _asked(request)
    item = request.query_params.get("item", "").strip()
    values: dict[str, Any] = {
        **asked,
        "item": item,
        "explained": None,
        "chosen": None,
        "names": [],
        "ranks": [],
    }
    problem = None
    try:
        values["names"] = [scene.name for scene in (await console.client.scenes()).scenes]
        explained = await console.client.explain(_request(asked, [item] if item else []))
        values["explained"] = explained
        wanted = item or next((each.item.item_id for each in explained.items), "")
        values["chosen"] = next((each for each in explained.items if each.item.item_id == wanted), None)
        if values["chosen"] is not None:
            values["ranks"] = [(each.rank, each.of) for each in values["chosen"].ranks]
    except RouterProblem as error:
        problem = error
    return await console.render(request, "why.html", "Why", problem, **values)


async def trace(request: Request, console: Console) -> Response:
    """One request's stages on a time line, and how long stages take for everybody."""
    asked = _asked(request)
    values: dict[str, Any] = {
        **asked, "explained": None, "chart": None, "names": [], "stages": [], "window": None,
        "slowest": [],
    }  # fmt: skip
    problem = None
    try:
        values["names"] = [scene.name for scene in (await console.client.scenes()).scenes]
        explained = await console.client.explain(_request(asked, []))
        values["explained"] = explained
        found = explained.page.trace
        values["chart"] = waterfall(
            f"Stages of one request of scene {asked['scene']}, {len(found.stages)} stages",
            [Span(each.stage, each.start_ms, each.elapsed_ms, each.outcome) for each in found.stages],
            found.total_ms,
        )
        values["slowest"] = await console.client.recent_pages(_SLOWEST, slowest_first=True)
        values["stages"], values["window"] = await _stages(console, asked["scene"])
    except RouterProblem as error:
        problem = error
    return await console.render(request, "trace.html", "Trace", problem, **values)


async def _stages(console: Console, scene: str) -> tuple[list[dict[str, Any]], float | None]:
    """Percentiles of each stage of the scene in milliseconds, and the seconds they are of.

    Of the last hour, as the router keeps it; of an older release those of the last minutes, as this process
    has read them.
    """
    try:
        found = await console.client.stage_times(scene)
    except RouterProblem as error:
        if not error.is_older:
            raise
        await console.figures.wanted()
        return _read_here(console, scene)
    rows = [
        {
            "stage": each.stage,
            "count": each.count,
            "p50": each.p50_ms,
            "p90": each.p90_ms,
            "p99": each.p99_ms,
            "drawn": distribution(each.stage, each.counts, each.bounds_s),
        }
        for each in found.stages
    ]
    return rows, found.window_s


def _read_here(console: Console, scene: str) -> tuple[list[dict[str, Any]], float | None]:
    """As `_stages`, since the replicas started where there is one reading only: then seconds are None."""
    if not console.figures.readings:
        return [], None
    pair = console.figures.window(_WINDOW_S)
    first, last = pair or (None, console.figures.readings[-1])
    rows: list[dict[str, Any]] = []
    name = "shopfront_stage_seconds_bucket"
    earlier = first.totals(name, "stage", "le", scene=[scene]) if first else {}
    for stage, after in last.totals(name, "stage", "le", scene=[scene]).items():
        added = increase(earlier.get(stage, {}), after)
        count = max(added.values(), default=0.0)
        if count:
            times = {f"p{share}": percentile(added, share / 100) * 1_000 for share in (50, 90, 99)}
            rows.append({"stage": stage, "count": count, "drawn": "", **times})
    rows.sort(key=lambda row: -row["p50"])
    return rows, last.at - first.at if first else None


def _asked(request: Request) -> dict[str, str]:
    query = request.query_params
    return {
        "scene": query.get("scene", "home").strip() or "home",
        "user": query.get("user", "").strip(),
        "about": query.get("about", "").strip(),
    }


def _request(asked: dict[str, str], item_ids: list[str]) -> admin_pb2.ExplainPageRequest:
    return admin_pb2.ExplainPageRequest(
        scene=asked["scene"],
        user_id=asked["user"],
        anchor_item_id=asked["about"],
        page_size=_PAGE_SIZE,
        item_ids=item_ids,
    )
