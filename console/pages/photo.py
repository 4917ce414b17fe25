"""Search by photo: the items whose pictures look like an uploaded one, where the shop has pictures."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.guard import session_of
from console.router_client import RouterProblem
from console.upload import uploaded
from console.view import Console, FormRefused
from protos.shopfront.v1 import visual_pb2

_MOST_BYTES = 1536 * 1024 + 8 * 1024
"""What the router takes, and the other fields of the form."""
_FOUND, _TOO_LARGE = 24, 413


async def ask(request: Request, console: Console) -> Response:
    """The form."""
    return await console.render(request, "photo.html", "Search by photo", found=None)


async def search(request: Request, console: Console) -> Response:
    """What looks like the photo; viewers may look too, since nothing changes."""
    try:
        session, fields = session_of(request.scope), await uploaded(request, _MOST_BYTES)
    except FormRefused as error:
        if error.status != _TOO_LARGE:
            raise
        return await console.render(request, "photo.html", "Search by photo", error, error.status, found=None)
    csrf = fields.get("csrf", b"").decode("utf-8", "replace")
    if session is None or not console.access.is_own_form(session, csrf):
        raise FormRefused("This form is of another session; load the page again.", 403)
    values: dict[str, Any] = {"found": None}
    problem = None
    try:
        answer = await console.client.search_by_image(
            visual_pb2.SearchByImageRequest(
                image=fields.get("photo", b""), surest_object="surest" in fields, page_size=_FOUND
            )
        )
        values.update(found=answer.page, objects=answer.objects, in_part=answer.HasField("searched"))
    except RouterProblem as error:
        problem = error
    return await console.render(request, "photo.html", "Search by photo", problem, **values)
