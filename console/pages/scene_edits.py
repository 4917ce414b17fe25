"""Edits of the scenes: the file and pages before and after, then the change, or the way back."""

from __future__ import annotations

import difflib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import admin_pb2

KEY, WAS = "set:", "was:"
"""What the names of fields begin with that have a key's new value, and its value when the form was made."""
MAX_FORM_BYTES = 512 * 1024
_MAX_FIELDS = 2_000
_MOST_SHOPPERS = 5
_PAGE_SIZE = 12


async def preview(request: Request, console: Console) -> Response:
    """What the keys or the text of a form would make of the file; nothing is changed."""
    _, fields = await console.form(request, MAX_FORM_BYTES, _MAX_FIELDS)
    scene = fields.get("scene", "")[:64]
    values: dict[str, Any] = {
        "scene": scene,
        "users": fields.get("users", ""),
        "about": fields.get("about", "").strip(),
        "found": None,
        "diff": [],
        "reason": fields.get("reason", ""),
    }
    problem = None
    try:
        content = as_text(fields.get("content", ""))
        if fields.get("undo"):
            content = (await console.client.scene_file(fields["undo"][:64])).earlier_content
            values["reason"] = values["reason"] or f"back to before {fields['undo'][:64]}"
        found = await console.client.preview_scenes(
            admin_pb2.PreviewScenesRequest(
                content=content,
                scene=scene,
                edits=_edits(fields),
                user_ids=_shoppers(values["users"]),
                page_size=_PAGE_SIZE,
                anchor_item_id=values["about"],
            )
        )
        values |= {"found": found, "diff": difference(found.content_before, found.content)}
    except RouterProblem as error:
        problem = error
    return await console.render(request, "scene_preview.html", "Preview", problem, **values)


async def apply(request: Request, console: Console) -> Response:
    """Writes a content that was previewed."""
    session, fields = await console.form(request, MAX_FORM_BYTES, _MAX_FIELDS)
    scene, reason = fields.get("scene", "")[:64], " ".join(fields.get("reason", "").split())[:300]
    said = "Nothing was done: say why."
    if reason:
        try:
            answer = await console.client.apply_scenes(
                admin_pb2.ApplyScenesRequest(
                    content=as_text(fields.get("content", "")),
                    base_digest=fields.get("base_digest", "")[:64],
                    reason=reason,
                    operator=session.name[:64],
                )
            )
            change = answer.change
            said = f"Applied: {change.lines_added} lines in, {change.lines_removed} out."
            if answer.refused:
                said = f"Written, and refused by the router: {answer.refused}"
        except RouterProblem as error:
            said = f"Not done: {error}"
    subject = {"scene": scene, "reason": reason, "base": fields.get("base_digest", "")[:12]}
    source = request.client.host if request.client else ""
    console.audit.note(session, source, "scenes apply", subject, said)
    return console.back(session, "/scenes", {"scene": scene}, said)


def _edits(fields: dict[str, str]) -> list[admin_pb2.SceneEdit]:
    """The keys whose value is another than when the form was made."""
    found = []
    for name, value in fields.items():
        coded = name.removeprefix(KEY)
        if coded == name or " ".join(value.split()) == " ".join(fields.get(WAS + coded, "").split()):
            continue
        try:
            path = json.loads(coded)
        except ValueError:
            continue
        if isinstance(path, list) and all(isinstance(part, str) for part in path):
            found.append(admin_pb2.SceneEdit(path=path, value=_json(value)))
    return found


def _json(value: str) -> str:
    """What was typed as JSON: a word that is no JSON is a text, so that nobody has to quote `auto`."""
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value.strip())
    return value


def as_text(sent: str) -> str:
    """A text as the file has it: browsers send CR LF for the end of a line."""
    return sent.replace("\r\n", "\n")


def _shoppers(typed: str) -> list[str]:
    """Shoppers, an anonymous one where none is named."""
    found = [name for name in typed.replace(",", " ").split() if name]
    return found[:_MOST_SHOPPERS] or [""]


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """(in, out, at or same; line) of what changes, with three lines around it."""
    kinds = {"+": "in", "-": "out", "@": "at", " ": "same"}
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3))[2:]
    return [(kinds[line[0]], line) for line in lines]
