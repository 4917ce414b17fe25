"""What a shopper does on the storefront, reported to the router as a shop would report it."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import event_pb2, feedback_pb2

EVENTS = {
    "view": ("Open", event_pb2.EVENT_TYPE_VIEW),
    "cart": ("Add to cart", event_pb2.EVENT_TYPE_CART),
    "uncart": ("Remove from cart", event_pb2.EVENT_TYPE_REMOVE_FROM_CART),
    "buy": ("Buy", event_pb2.EVENT_TYPE_PURCHASE),
    "like": ("Like", event_pb2.EVENT_TYPE_FAVORITE),
}
"""Events by name: the words of the button, and the type."""
SAID = {
    "hide": ("Not interested", feedback_pb2.ITEM_FEEDBACK_TYPE_NOT_INTERESTED),
    "often": ("Seen too often", feedback_pb2.ITEM_FEEDBACK_TYPE_SEEN_TOO_OFTEN),
    "own": ("I own it", feedback_pb2.ITEM_FEEDBACK_TYPE_OWN_IT),
    "undo": ("Take back", feedback_pb2.ITEM_FEEDBACK_TYPE_UNDO),
}
"""What is said of an item, likewise."""
_ELSEWHERE = ("view", "uncart", "undo")
"""Acts whose button is the item itself, or beside what they take back in the history."""


def buttons() -> list[tuple[str, str]]:
    """(name, words) of what can be done with an item beside opening it and taking something back."""
    return [(name, words) for name, (words, _) in (EVENTS | SAID).items() if name not in _ELSEWHERE]


async def act(request: Request, console: Console) -> Response:
    """Reports what the shopper did or said, and shows the page that follows."""
    session, fields = await console.form(request)
    user = fields.get("user", "")
    name, _, rest = fields.get("act", "").partition("|")
    position, _, item_id = rest.partition("|")
    back: dict[str, str] = {"user": user} if user else {}
    message = ""
    if name == "view" or fields.get("item"):
        back["item"] = item_id if name == "view" else fields["item"]
    if user and item_id and (name in EVENTS or name in SAID):
        outcome = await (
            _event(console, name, user, item_id, position, fields)
            if name in EVENTS
            else _feedback(console, name, user, item_id, fields)
        )
        source = request.client.host if request.client else ""
        console.audit.note(
            session, source, "event", {"user": user, "item": item_id, "event": name}, outcome or "stored"
        )
        words = (EVENTS | SAID)[name][0]
        message = f"{words}: {outcome}" if outcome else f"Reported: {words} {item_id}"
    return console.back(session, "/", back, message)


async def _event(
    console: Console, name: str, user: str, item_id: str, position: str, fields: dict[str, str]
) -> str:
    """Why the event was not stored; "" where it was."""
    event = event_pb2.Event(
        user_id=user,
        item_id=item_id,
        type=EVENTS[name][1],
        scene=fields.get("scene", ""),
        position=int(position) if position.isdecimal() and len(position) < 7 else 0,
        attribution_token=fields.get("token", ""),
        event_id=secrets.token_hex(8),
    )
    try:
        answer = await console.client.report(event)
    except RouterProblem as error:
        return f"failed: {error}"
    refused = "; ".join(f"{each.field}: {each.reason}" for each in answer.errors)
    return f"refused: {refused}" if refused else ""


async def _feedback(console: Console, name: str, user: str, item_id: str, fields: dict[str, str]) -> str:
    """Why the feedback was not stored; "" where it was."""
    try:
        await console.client.say(
            feedback_pb2.SendFeedbackRequest(
                user_id=user,
                items=[feedback_pb2.ItemFeedback(item_id=item_id, type=SAID[name][1])],
                scene=fields.get("scene", ""),
                attribution_token=fields.get("token", ""),
                feedback_id=secrets.token_hex(8),
            )
        )
    except RouterProblem as error:
        return f"failed: {error}"
    return ""
