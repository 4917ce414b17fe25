"""Experiments: what is in the file and in service, what came of it, and how it is changed."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.experiment_reports import readable
from console.router_client import RouterProblem
from console.view import Console

_BUCKETS = 10_000


async def show(request: Request, console: Console) -> Response:
    """Experiments with their arms and forms, answers made so far, and the reports that were written."""
    values: dict[str, Any] = {
        "arms": [],
        "file": None,
        "names": [],
        "reports": [],
        "answers": {},
        "free": {},
        "as_text": request.query_params.get("text", "") == "1",
    }
    problem = None
    try:
        scenes = await console.client.scenes()
        values |= {"arms": list(scenes.arms), "names": [scene.name for scene in scenes.scenes]}
        values["reports"] = [
            report for each in await console.client.reports("experiments") if (report := readable(each))
        ]
        await console.figures.wanted()
        if console.figures.readings:
            values["answers"] = console.figures.readings[-1].totals(
                "shopfront_exposures_total", "experiment", "arm"
            )
        values["file"] = await console.client.experiment_file()
        values["free"] = _free(values["file"].experiments)
    except RouterProblem as error:
        # An older release has no such file to show; its arms and reports are there.
        problem = error
    return await console.render(request, "experiments.html", "Experiments", problem, **values)


def _free(experiments: Any) -> dict[str, int]:
    """Layer → its first bucket behind all experiments."""
    ends: dict[str, int] = {}
    for each in experiments:
        end = each.first + sum(arm.share_bp for arm in each.arms)
        ends[each.layer] = max(ends.get(each.layer, 0), end)
    return {layer: end for layer, end in ends.items() if end < _BUCKETS}
