"""Changes of experiments, each confirmed by typing: start, shares, pause, resume, stop, the file as text."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.pages.scene_edits import MAX_FORM_BYTES, as_text, difference
from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import admin_pb2

SHARE = "share:"
"""What the names of fields begin with that have an arm's new share."""
WHOLE_FILE = "experiments"
"""What is typed to confirm a change of the whole file."""
ACTIONS = ("start", "shares", "pause", "resume", "stop", "file")
_MAX_FIELDS = 200
_SUBJECT = ("name", "layer", "first", "scene", "reason")


class _Wrong(Exception):
    """A form that asks for nothing that could be done; the message says why."""


async def preview(request: Request, console: Console) -> Response:
    """What a text would make of the file, or what the file was before a change; nothing is changed."""
    _, fields = await console.form(request, MAX_FORM_BYTES, _MAX_FIELDS)
    values: dict[str, Any] = {
        "found": None,
        "diff": [],
        "reason": fields.get("reason", ""),
        "word": WHOLE_FILE,
    }
    problem = None
    try:
        content = as_text(fields.get("content", ""))
        if undo := fields.get("undo", "")[:64]:
            content = (await console.client.experiment_file(undo)).earlier_content
            values["reason"] = values["reason"] or f"back to before {undo}"
        found = await console.client.change_experiments(
            admin_pb2.ChangeExperimentsRequest(content=content, validate_only=True)
        )
        values |= {"found": found, "diff": difference(found.content_before, found.content)}
    except RouterProblem as error:
        problem = error
    return await console.render(request, "experiments_preview.html", "Preview", problem, **values)


async def act(request: Request, console: Console) -> Response:
    """Makes a change that was confirmed, and shows the page with what came of it."""
    session, fields = await console.form(request, MAX_FORM_BYTES, _MAX_FIELDS)
    action = fields.get("action", "")
    said = await _acted(console, session.name, action, fields)
    subject = {key: fields[key][:300] for key in _SUBJECT if fields.get(key)}
    shares = {name.removeprefix(SHARE): value for name, value in fields.items() if name.startswith(SHARE)}
    if action in ("start", "shares"):
        subject["shares"] = json.dumps(shares, ensure_ascii=False)[:300]
    source = request.client.host if request.client else ""
    console.audit.note(session, source, f"experiment {action}"[:60], subject, said)
    return console.back(session, "/experiments", {}, said)


async def _acted(console: Console, who: str, action: str, fields: dict[str, str]) -> str:
    """What came of it, in words."""
    reason = " ".join(fields.get("reason", "").split())[:300]
    name = fields.get("name", "").strip()
    word = WHOLE_FILE if action == "file" else name
    if action not in ACTIONS:
        return "Nothing was done: there is no such action."
    if not reason:
        return "Nothing was done: say why."
    if not word or " ".join(fields.get("typed", "").split()) != word:
        return f"Nothing was done: type “{word[:60]}” to confirm."
    change = admin_pb2.ChangeExperimentsRequest(
        base_digest=fields.get("base_digest", "")[:64], reason=reason, operator=who[:64]
    )
    try:
        if action == "file":
            change.content = as_text(fields.get("content", ""))
        else:
            change.edits.extend(_edits(action, name, fields))
        answer = await console.client.change_experiments(change)
    except _Wrong as error:
        return f"Nothing was done: {error}"
    except RouterProblem as error:
        return f"Not done: {error}"
    if answer.refused:
        return f"Written, and refused by the router: {answer.refused}"
    return f"Done: {action} {word}; {answer.change.lines_added} lines in, {answer.change.lines_removed} out."


def _edits(action: str, name: str, fields: dict[str, str]) -> list[admin_pb2.ExperimentEdit]:
    """The edits of the file that an action is. Raises `_Wrong`."""
    layer = fields.get("layer", "").strip()
    if not layer:
        raise _Wrong("name a layer.")
    path = ("layers", layer, "experiments", name)
    if action == "stop":
        return [admin_pb2.ExperimentEdit(path=path)]
    if action == "pause":
        return [admin_pb2.ExperimentEdit(path=(*path, "paused"), value="true")]
    if action == "resume":
        return [admin_pb2.ExperimentEdit(path=(*path, "paused"))]
    if action == "shares":
        changed = [
            admin_pb2.ExperimentEdit(path=(*path, "arms", arm, "share_bp"), value=str(_basis_points(value)))
            for field, value in fields.items()
            if (arm := field.removeprefix(SHARE)) != field and value.strip() != fields.get(f"was:{arm}")
        ]
        if not changed:
            raise _Wrong("no share is another.")
        return changed
    return [admin_pb2.ExperimentEdit(path=path, value=json.dumps(_new(fields), ensure_ascii=False))]


def _new(fields: dict[str, str]) -> dict[str, Any]:
    """A new experiment of two arms, of which the first changes nothing. Raises `_Wrong`."""
    try:
        patch = json.loads(fields.get("patch", "").strip() or "{}")
    except (ValueError, RecursionError):
        raise _Wrong('the change must be JSON, such as {"channels": {"hot": {"share": 0.5}}}.') from None
    first = fields.get("first", "").strip() or "0"
    if not first.isdecimal() or len(first) > 5:
        raise _Wrong("the first bucket is a number, 0 to 9,999.")
    shares = (_basis_points(fields.get(f"{SHARE}{arm}", "")) for arm in ("control", "treatment"))
    control, treatment = shares
    made: dict[str, Any] = {"scenes": [scene] if (scene := fields.get("scene", "")) else None}
    return {key: value for key, value in made.items() if value} | {
        "first": int(first),
        "arms": {"control": {"share_bp": control}, "treatment": {"share_bp": treatment, "patch": patch}},
    }


def _basis_points(percent: str) -> int:
    """Basis points of a share in per cent, as people type it. Raises `_Wrong`."""
    try:
        share = round(float(percent.strip().rstrip("%").strip()) * 100)
    except (ValueError, OverflowError):
        raise _Wrong(f"{percent[:20]!r} is no share; type per cent, such as 5 or 0.5.") from None
    if not 1 <= share <= 10_000:
        raise _Wrong("a share is 0.01 to 100 per cent.")
    return share
