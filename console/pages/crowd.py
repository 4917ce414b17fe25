"""A crowd's pages: what somebody of a profile is shown who has never been seen."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.pages.storefront import ITEM_SCENES, MOST_SCENES, OF_A_PHOTO, PAGE_SIZE, Card, Shelf
from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import admin_pb2

_MOST_CHARACTERS = 128


async def show(request: Request, console: Console) -> Response:
    """A form of profiles, and the page of the chosen one, scene by scene."""
    values: dict[str, Any] = {
        "fields": [],
        "profile": {},
        "shelves": [],
        "user": "",
        "item_id": "",
        "buttons": [],
    }
    problem = None
    try:
        values["fields"] = await console.client.profiles()
        asked = {
            field.name: request.query_params.get(field.name, "")[:_MOST_CHARACTERS]
            for field in values["fields"]
        }
        values["profile"] = {name: value for name, value in asked.items() if value}
        scenes = [scene.name for scene in (await console.client.scenes()).scenes]
        for name in [each for each in scenes if each not in (*ITEM_SCENES, OF_A_PHOTO)][:MOST_SCENES]:
            values["shelves"].append(await _shelf(console, name, values["profile"]))
    except RouterProblem as error:
        problem = error
    return await console.render(request, "crowd.html", "A crowd's page", problem, **values)


async def _shelf(console: Console, scene: str, profile: dict[str, str]) -> Shelf:
    explained = await console.client.explain(
        admin_pb2.ExplainPageRequest(scene=scene, profile=profile, page_size=PAGE_SIZE)
    )
    page = explained.page
    return Shelf(
        scene,
        "",
        [
            Card(each.item, each.scores.get("score", 0.0), tuple(find.channel for find in each.channels))
            for each in explained.items
            if each.position
        ],
        tuple(page.degraded),
        dict(page.arms),
        f"{page.model_name} {page.model_version}".strip(),
    )
