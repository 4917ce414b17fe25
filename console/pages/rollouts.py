"""Rollouts: what serves, how a candidate is judged, and what an operator does about it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import rollout_pb2

ACTIONS = ("pause", "resume", "promote", "abort")
ACTIVE = ("preparing", "running", "settling")
_HISTORY = 60


def confirmation(model: str, version: int) -> str:
    """The words that an operator types to confirm."""
    return f"{model} {version}"


async def show(request: Request, console: Console) -> Response:
    """Status, checks and history of a model's rollouts."""
    model = request.query_params.get("model", "")
    values: dict[str, Any] = {
        "model": model,
        "found": None,
        "history": [],
        "active": False,
        "confirmation": "",
    }
    problem = None
    try:
        found = await console.client.rollout(model)
        values |= {
            "found": found,
            "active": found.phase in ACTIVE,
            "confirmation": confirmation(found.model, found.candidate_version),
        }
        after = max(0, found.generation - _HISTORY)
        values["history"] = (await console.client.rollout_history(model, after, _HISTORY))[::-1]
    except RouterProblem as error:
        problem = error
    return await console.render(request, "rollouts.html", "Rollouts", problem, **values)


async def act(request: Request, console: Console) -> Response:
    """Starts, pauses, resumes, promotes or rolls back, as an operator confirmed it."""
    session, fields = await console.form(request)
    action, model = fields.get("action", ""), fields.get("model", "")[:200]
    said = await _acted(console, session.name, action, model, fields)
    subject = {key: fields.get(key, "") for key in ("model", "rollout_id", "version", "reason")}
    source = request.client.host if request.client else ""
    console.audit.note(session, source, f"rollout {action}"[:60], subject, said)
    return console.back(session, "/rollouts", {"model": model} if model else {}, said)


async def _acted(console: Console, who: str, action: str, model: str, fields: dict[str, str]) -> str:
    """What came of it, in words."""
    version = fields.get("version", "")
    if action not in (*ACTIONS, "start"):
        return "Nothing was done: there is no such action."
    if not version.isdecimal() or len(version) > 18:
        return "Nothing was done: a version is a number."
    expected = confirmation(fields.get("named", ""), int(version))
    if " ".join(fields.get("typed", "").split()) != expected:
        return f"Nothing was done: type “{expected}” to confirm."
    reason = fields.get("reason", "")[:500]
    try:
        if action == "start":
            status = await console.client.start_rollout(
                rollout_pb2.StartRolloutRequest(model=model, candidate=int(version), operator=who[:64])
            )
        else:
            status = await console.client.change_rollout(
                action,
                rollout_pb2.ChangeRolloutRequest(
                    model=model,
                    rollout_id=fields.get("rollout_id", "")[:200],
                    operator=who[:64],
                    reason=reason,
                ),
            )
    except RouterProblem as error:
        return f"Not done: {error}"
    return f"Done: {action} {status.model} {status.candidate_version}; it is {status.phase} now."
