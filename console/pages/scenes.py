"""Scenes: the configuration in service, each key with its meaning first, to be edited; and experiments."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.charts import Bar, bars
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
        "file": None,
        "said": request.query_params.get("said", ""),
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


async def experiments(request: Request, console: Console) -> Response:
    """Arms and their part of the shoppers, and the reports that were written."""
    values: dict[str, Any] = {"arms": [], "reports": []}
    problem = None
    try:
        values["arms"] = list((await console.client.scenes()).arms)
        values["reports"] = [
            report for each in await console.client.reports("experiments") if (report := _report(each))
        ]
    except RouterProblem as error:
        problem = error
    return await console.render(request, "experiments.html", "Experiments", problem, **values)


def _report(report: admin_pb2.Report) -> dict[str, Any] | None:
    """A report with a chart of each metric; None for a file that is no report of an experiment."""
    try:
        content = json.loads(report.json)
        arms = content["arms"]
        metrics = sorted({name for arm in arms for name in arm["metrics"]})
        drawn = [
            (
                name,
                bars(
                    f"{name} by arm, with 95 % intervals",
                    [
                        Bar(
                            arm["name"],
                            _value(arm["metrics"][name].get("value")),
                            arm["metrics"][name].get("low"),
                            arm["metrics"][name].get("high"),
                            arm["name"] == content["control"],
                        )
                        for arm in arms
                    ],
                    digits=4,
                ),
            )
            for name in metrics
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return {"name": report.name, "at_ms": report.at_ms, "content": content, "charts": drawn}


def _value(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
