"""Storefront: the pages that a shopper sees, with what the shopper did and said beside them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.pages.shopper_acts import buttons
from console.router_client import RouterProblem
from console.view import Console
from protos.shopfront.v1 import admin_pb2, recommend_pb2

ITEM_SCENES = {
    "similar_items": recommend_pb2.SIMILAR_ITEMS_KIND_UNSPECIFIED,
    "substitutes": recommend_pb2.SIMILAR_ITEMS_KIND_SIMILAR,
    "complements": recommend_pb2.SIMILAR_ITEMS_KIND_COMPLEMENTARY,
}
"""Scenes about an item, by the kind that asks for each; others belong to a page without one."""
OF_A_PHOTO = "photo_search"
"""The scene that answers a photo, which no page of the shop has."""
ON_PRODUCT_PAGE = ("substitutes", "complements")
PAGE_SIZE = 12
MOST_SCENES = 10
_HISTORY = 30
_ANSWERED = 50


@dataclass(frozen=True, slots=True)
class Card:
    """One item of a shelf. `causes`: channels that recalled it."""

    item: admin_pb2.ItemSummary
    score: float
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """One scene as it was answered."""

    scene: str
    token: str
    cards: list[Card]
    degraded: tuple[str, ...]
    arms: dict[str, str]
    model: str


async def show(request: Request, console: Console) -> Response:
    """The shopper's page, or the product page of one item."""
    user, item_id = request.query_params.get("user", ""), request.query_params.get("item", "")
    values: dict[str, Any] = {
        "user": user,
        "item_id": item_id,
        "shelves": [],
        "shown": None,
        "shopper": None,
        "suggested": [],
        "buttons": buttons(),
    }
    problem = None
    try:
        names = [scene.name for scene in (await console.client.scenes()).scenes]
    except RouterProblem as error:
        problem, names = error, ["home"]
    if problem is None or not problem.is_down:
        # Two calls of the router, one beside the other.
        beside = asyncio.create_task(_beside(console, user, values))
        try:
            if item_id:
                values["shown"] = (await _described(console, [item_id]))[item_id]
                values["shelves"] = await _product_shelves(console, user, item_id, names)
            else:
                values["shelves"] = await _page_shelves(console, user, names)
        except RouterProblem as error:
            problem = error
        finally:
            await beside
    return await console.render(request, "storefront.html", "Storefront", problem, **values)


async def _beside(console: Console, user: str, values: dict[str, Any]) -> None:
    """History and suggestions; a router that does not give them shows the page without."""
    try:
        if user:
            values["shopper"] = await console.client.shopper(user, _HISTORY)
        values["suggested"] = await console.client.recent_shoppers()
    except RouterProblem:
        return


async def _page_shelves(console: Console, user: str, names: list[str]) -> list[Shelf]:
    scenes = [name for name in names if name not in (*ITEM_SCENES, OF_A_PHOTO)][:MOST_SCENES]
    answer = await console.client.page(
        recommend_pb2.RecommendPageRequest(
            user_id=user,
            scenes=[recommend_pb2.SceneRequest(scene=name, page_size=PAGE_SIZE) for name in scenes],
        )
    )
    return await _shelves(console, list(answer.scenes))


async def _product_shelves(console: Console, user: str, item_id: str, names: list[str]) -> list[Shelf]:
    wanted = [name for name in ON_PRODUCT_PAGE if name in names] or ["similar_items"]
    answers = [
        await console.client.similar(
            recommend_pb2.SimilarItemsRequest(
                item_id=item_id, user_id=user, page_size=PAGE_SIZE, kind=ITEM_SCENES[name]
            )
        )
        for name in wanted
    ]
    return await _shelves(console, answers)


async def _shelves(console: Console, answers: list[recommend_pb2.RecommendResponse]) -> list[Shelf]:
    known = await _described(console, [item.item_id for answer in answers for item in answer.items])
    return [
        Shelf(
            answer.scene,
            answer.attribution_token,
            [
                Card(
                    known.get(item.item_id)
                    or admin_pb2.ItemSummary(item_id=item.item_id, title=item.title, category=item.category),
                    item.score,
                    tuple(reason.channel for reason in item.reasons),
                )
                for item in answer.items
            ],
            tuple(answer.degraded),
            dict(answer.arms),
            f"{answer.model_name} {answer.model_version}".strip(),
        )
        for answer in answers
    ]


async def _described(console: Console, item_ids: list[str]) -> dict[str, admin_pb2.ItemSummary]:
    """Brand and price of items; empty where an older router does not tell them."""
    wanted = list(dict.fromkeys(item_ids))[:200]
    if not wanted:
        return {}
    try:
        return {item.item_id: item for item in await console.client.describe(wanted)}
    except RouterProblem as error:
        if not error.is_older:
            raise
        return {item_id: admin_pb2.ItemSummary(item_id=item_id) for item_id in wanted}


async def newcomer(request: Request, console: Console) -> Response:
    """The page of a shopper never seen."""
    return RedirectResponse(f"/?{urlencode({'user': f'console-{secrets.token_hex(3)}'})}", 303)


async def answered(request: Request, console: Console) -> Response:
    """The pages that the router answered last, as they were answered."""
    user = request.query_params.get("user", "").strip()
    values: dict[str, Any] = {"user": user, "found": []}
    problem = None
    try:
        values["found"] = await console.client.recent_pages(_ANSWERED, user)
    except RouterProblem as error:
        problem = error
    return await console.render(request, "answered.html", "Answered", problem, **values)
