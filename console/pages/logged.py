"""Feature log: any answer that was logged, as it was made, with why its items were there."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import admin_pb2

_LISTED = 20
_PARTS_OF_A_REQUEST = 20


async def show(request: Request, console: Console) -> Response:
    """The newest answers, or those of one request."""
    query = request.query_params
    before = query.get("before", "")
    scene, user = query.get("scene", "").strip(), query.get("user", "").strip()
    request_id = query.get("request", "").strip()
    values: dict[str, Any] = {
        "scene": scene,
        "user": user,
        "request_id": request_id,
        "found": None,
        "names": [],
        "older": 0,
    }
    problem = None
    try:
        values["names"] = [scene.name for scene in (await console.client.scenes()).scenes]
        found = await console.client.logged_pages(
            admin_pb2.ListLoggedPagesRequest(
                limit=_PARTS_OF_A_REQUEST if request_id else _LISTED,
                scene=scene,
                user_id=user,
                request_id=request_id,
                before=int(before) if before.isdecimal() and len(before) < 12 else 0,
            )
        )
        values["found"] = found
        if len(found.pages) == _LISTED and not request_id:
            first, last = found.pages[0].at, found.pages[-1].at
            # The rest of its second too, unless that would show the same page again.
            values["older"] = last + 1 if first > last else last
    except RouterProblem as error:
        problem = error
    return await console.render(request, "logged.html", "Feature log", problem, **values)
