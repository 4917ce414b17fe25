"""The picture of an item, as the router has it: of one type, bounded, and never from another host."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from console.router_client import RouterProblem
from console.view import Console

MAX_BYTES = 64 * 1024
_JPEG = "image/jpeg"
_JPEG_BEGINS = b"\xff\xd8\xff"


async def show(request: Request, console: Console) -> Response:
    """The file of `item`; `v` names the snapshot, so that a browser keeps it as long as that serves."""
    item = request.query_params.get("item", "")
    if not 1 <= len(item.encode()) <= 256:
        return PlainTextResponse("There is no such picture.", 404)
    try:
        picture = await console.client.picture((await console.client.versions()).snapshot_id, item)
    except RouterProblem as error:
        return PlainTextResponse(str(error), 503 if error.is_down else 404)
    usable = (
        picture.content_type == _JPEG
        and len(picture.content) <= MAX_BYTES
        and picture.content.startswith(_JPEG_BEGINS)
    )
    if not usable:
        return PlainTextResponse("What the router sent is no picture that is shown.", 502)
    return Response(picture.content, media_type=_JPEG)
