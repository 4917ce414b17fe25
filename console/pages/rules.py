"""Rules: what merchandisers block and pin, and exposures they plan, with reason and expiry."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import admin_pb2

_HOUR_S = 3_600
_MOST_DIGITS = 12
_LONGEST_H = 24 * 365 * 10


async def show(request: Request, console: Console) -> Response:
    """Every rule, and a form for another."""
    expired = request.query_params.get("expired", "") == "1"
    values: dict[str, Any] = {
        "found": None,
        "names": [],
        "expired": expired,
        "back": "/rules",
        "about": "",
    }
    problem = None
    try:
        values["found"] = await console.client.rules(expired=expired)
        values["names"] = [scene.name for scene in (await console.client.scenes()).scenes]
    except RouterProblem as error:
        problem = error
    return await console.render(request, "rules.html", "Rules", problem, **values)


async def act(request: Request, console: Console) -> Response:
    """Adds or ends a rule, and shows the page that the form was on."""
    session, fields = await console.form(request)
    action = fields.get("action", "")
    said = await _acted(console, session.name, action, fields)
    subject = {key: fields[key][:300] for key in _SUBJECT if fields.get(key)}
    source = request.client.host if request.client else ""
    console.audit.note(session, source, f"rule {action}"[:60], subject, said)
    item = fields.get("back_to_item", "")
    to, query = ("/item", {"id": item}) if item else ("/rules", {})
    return console.back(session, to, query, said)


_SUBJECT = ("id", "by", "value", "scene", "position", "reason", "hours", "alert", "guarantee", "cap")


async def _acted(console: Console, who: str, action: str, fields: dict[str, str]) -> str:
    """What came of it, in words."""
    reason = " ".join(fields.get("reason", "").split())
    if not reason:
        return "Nothing was done: say why."
    try:
        if action == "end":
            ended = await console.client.remove_rule(fields.get("id", "")[:64], who, reason)
            return f"Ended: {ended.action} of {ended.by} {ended.value}."
        if action not in ("block", "pin", "plan"):
            return "Nothing was done: there is no such action."
        hours, position = fields.get("hours", "").strip(), fields.get("position", "").strip()
        if action == "pin" and not position.isdecimal():
            return "Nothing was done: a pin needs a slot, 1 to 100."
        plan = _plan(fields) if action == "plan" else None
        if plan is not None and not hours:
            return "Nothing was done: a plan needs hours."
        rule = await console.client.add_rule(
            admin_pb2.AddRuleRequest(
                action=action,
                by=fields.get("by", "") or "item",
                value=fields.get("value", "").strip(),
                scene=fields.get("scene", ""),
                position=int(position[:6]) if action == "pin" else 0,
                reason=reason,
                operator=who,
                expires_at=_expiry(hours, console.now()),
                plan=plan,
                alert=fields.get("alert", "").strip(),
            )
        )
    except _NoCount as error:
        return f"Nothing was done: {error}"
    except ValueError:
        return f"Nothing was done: hours are a number above 0 and at most {_LONGEST_H:,}."
    except RouterProblem as error:
        return f"Not done: {error}"
    waiting = "" if rule.known else " The catalogue in service does not have it: the rule waits for it."
    return f"Done: {rule.action} of {rule.by} {rule.value}.{waiting}"


class _NoCount(Exception):
    """What was typed is no number of exposures."""


def _plan(fields: dict[str, str]) -> admin_pb2.ExposurePlan:
    """The terms of a plan. Raises `_NoCount`."""
    counts = {}
    for name in ("guarantee", "cap"):
        typed = fields.get(name, "").strip() or "0"
        if not typed.isdecimal() or len(typed) > _MOST_DIGITS:
            raise _NoCount(f"{name}: a number of exposures, or nothing.")
        counts[name] = int(typed)
    if not any(counts.values()):
        raise _NoCount("a plan has exposures at least or at most.")
    return admin_pb2.ExposurePlan(**counts, at_once=fields.get("at_once") == "1")


def _expiry(hours: str, now: float) -> int:
    """Unix second at which a rule ends, 0 = never. Raises ValueError where `hours` is none."""
    if not hours:
        return 0
    length = float(hours)
    if not (math.isfinite(length) and 0 < length <= _LONGEST_H):
        raise ValueError(hours)
    return math.ceil(now + length * _HOUR_S)
