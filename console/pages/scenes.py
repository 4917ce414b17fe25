"""Scenes: the configuration in service, each key with its meaning first, to be edited."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import admin_pb2


async def show(request: Request, console: Console) -> Response:
    """One scene, key by key, grouped by the part that a key belongs to."""
    wanted = request.query_params.get("scene", "")
    only_changed = request.query_params.get("changed", "") == "1"
    values: dict[str, Any] = {
        "names": [],
        "scene": wanted,
        "groups": [],
        "only_changed": only_changed,
        "shares": None,
        "file": None,
        "as_text": request.query_params.get("text", "") == "1",
    }
    problem = None
    try:
        scenes = {scene.name: scene for scene in (await console.client.scenes()).scenes}
        values["names"] = list(scenes)
        chosen = scenes.get(wanted) or next(iter(scenes.values()), None)
        if chosen is not None:
            values["scene"] = chosen.name
            values["groups"] = _groups(chosen, only_changed)
            values["shares"] = chosen
        values["file"] = await console.client.scene_file()
    except RouterProblem as error:
        problem = error
    return await console.render(request, "scenes.html", "Scenes", problem, **values)


def _groups(
    scene: admin_pb2.SceneDetails, only_changed: bool
) -> list[tuple[str, list[tuple[admin_pb2.SettingRow, bool]]]]:
    """(part, its keys with whether each differs from its default)."""
    groups: dict[str, list[tuple[admin_pb2.SettingRow, bool]]] = {}
    for row in scene.settings:
        changed = row.default_value != "" and row.value != row.default_value
        if changed or not only_changed:
            groups.setdefault(row.key.partition(".")[0], []).append((row, changed))
    return list(groups.items())
