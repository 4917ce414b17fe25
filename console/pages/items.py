"""Items: search of the catalogue, and what is known of one item."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.router_client import RouterProblem
from console.view import Console

_FOUND = 50
_NEIGHBOURS = 12


async def search(request: Request, console: Console) -> Response:
    """Items by id or words."""
    query = request.query_params.get("q", "").strip()[:200]
    values: dict[str, Any] = {"query_text": query, "found": None}
    problem = None
    if query:
        try:
            values["found"] = await console.client.search(query, _FOUND)
        except RouterProblem as error:
            problem = error
    return await console.render(request, "items.html", "Items", problem, **values)


async def one(request: Request, console: Console) -> Response:
    """Facts and neighbours of one item, and the rules that it falls under."""
    item_id = request.query_params.get("id", "")
    values: dict[str, Any] = {
        "about": item_id,
        "item": None,
        "found": None,
        "names": [],
    }
    problem = None
    try:
        values["item"] = await console.client.item(item_id, _NEIGHBOURS)
        values["names"] = [scene.name for scene in (await console.client.scenes()).scenes]
        values["found"] = await console.client.rules(item_id)
    except RouterProblem as error:
        problem = error
    return await console.render(request, "item.html", "Item", problem, **values)
