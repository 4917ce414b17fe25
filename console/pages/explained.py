"""Why and Trace: a page made once more, with the way of its items and the time of its stages."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.charts import Span, waterfall
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
        await console.figures.wanted()
        values["stages"], values["window"] = _stage_times(console, asked["scene"])
    except RouterProblem as error:
        problem = error
    return await console.render(request, "trace.html", "Trace", problem, **values)


def _stage_times(console: Console, scene: str) -> tuple[list[dict[str, Any]], float | None]:
    """Percentiles of each stage of the scene in milliseconds, and the seconds they are of."""
    pair = console.figures.window(_WINDOW_S)
    if pair is None:
        if not console.figures.readings:
            return [], None
        # Since the replicas started, until there is a second reading.
        first, last = None, console.figures.readings[-1]
    else:
        first, last = pair
    rows: list[dict[str, Any]] = []
    name = "shopfront_stage_seconds_bucket"
    earlier = first.totals(name, "stage", "le", scene=[scene]) if first else {}
    for stage, after in last.totals(name, "stage", "le", scene=[scene]).items():
        before = earlier.get(stage, {})
        added = increase(before, after)
        count = max(added.values(), default=0.0)
        if count:
            rows.append(
                {
                    "stage": stage,
                    "count": count,
                    **{f"p{share}": percentile(added, share / 100) * 1_000 for share in (50, 95, 99)},
                }
            )
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
