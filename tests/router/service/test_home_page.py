"""The example scene set, served: one RecommendPage with an entrance, halls and five channels."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.recommend_pb2 import (
    RecommendPageRequest,
    RecommendRequest,
    RecommendResponse,
    SceneRequest,
)
from recall.registry import CHANNELS
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, load_scenes
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from testing.served_shop import ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"
EXAMPLE = Path(__file__).parents[3] / "config" / "home_page.yaml"
SIZES = {"front": 7, "halls": 12} | dict.fromkeys(
    ("again_today", "goes_with", "for_you", "your_categories", "everybody"), 4
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop that serves the example; its venues are its categories, and no scene is in a hurry."""
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    scenes = yaml.safe_load(EXAMPLE.read_text())
    scenes["scenes"]["halls"]["rerank"]["venues"]["by"] = "category"
    scenes["defaults"] |= {"deadline": {"budget_ms": 8_000.0}}
    for scene in scenes["scenes"].values():
        for channel in scene["channels"].values():
            channel["timeout_ms"] = 4_000.0
    shop.scenes.write_text(yaml.safe_dump(scenes, sort_keys=False))
    loaded = load_scenes(shop.scenes, KnownNames(tuple(CHANNELS)))
    shop.publish(tables=tables_of(loaded.by_name.values(), loaded.page))
    return shop


@pytest.fixture
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    """The service."""
    started = await start_service(shop.settings(NO_TRITON))
    yield started
    await started.stop()


async def page(running: RunningService, user: str) -> dict[str, RecommendResponse]:
    request = RecommendPageRequest(scenes=[SceneRequest(scene=name) for name in SIZES], user_id=user)
    response = await running.service.recommend_page(request, new_call(time.monotonic()))
    return {each.scene: each for each in response.scenes}


def ids(response: RecommendResponse) -> list[str]:
    return [item.item_id for item in response.items]


async def test_one_request_answers_the_whole_page_without_a_repetition(running: RunningService) -> None:
    shown = await page(running, f"shopper-{uuid.uuid4().hex}")
    assert {name: len(each.items) for name, each in shown.items()} == SIZES
    everything = [item for each in shown.values() for item in ids(each)]
    assert len(everything) == len(set(everything))
    assert [name for name, each in shown.items() if each.venues] == ["halls"]
    halls = shown["halls"]
    assert [len(venue.item_ids) for venue in halls.venues] == [3, 3, 3, 3]
    assert [item for venue in halls.venues for item in venue.item_ids] == ids(halls)
    category = {item.item_id: item.category for item in halls.items}
    for venue in halls.venues:
        assert {category[item] for item in venue.item_ids} == {venue.name}
    score = {item.item_id: item.score for item in halls.items}
    for venue in halls.venues:
        assert venue.score == pytest.approx(sum(score[item] for item in venue.item_ids), rel=1e-4)


async def test_a_scene_of_venues_alone_shows_the_likeliest_first(running: RunningService) -> None:
    request = RecommendRequest(scene="halls", user_id="u3", page_size=9)
    halls = await running.service.recommend(request, new_call(time.monotonic()))
    assert [len(venue.item_ids) for venue in halls.venues] == [3, 3, 3]
    names = [item.category for item in halls.items]
    runs = [name for place, name in enumerate(names) if not place or names[place - 1] != name]
    assert runs == [venue.name for venue in halls.venues]
    assert len(set(runs)) == len(runs)
    assert all(one != other for one, other in pairwise(runs))


async def test_of_the_entrance_three_slots_turn_once_it_was_seen(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    first = (await page(running, user))["front"]
    at = int(time.time() * 1_000 - 2 * 3_600_000)
    events = [
        event_pb2.Event(
            user_id=user,
            item_id=item,
            type=event_pb2.EVENT_TYPE_IMPRESSION,
            timestamp_ms=at,
            attribution_token=first.attribution_token,
        )
        for item in ids(first)
    ]
    await running.service.report_events(
        event_pb2.ReportEventsRequest(events=events), new_call(time.monotonic())
    )
    second = ids((await page(running, user))["front"])
    assert second[:4] == ids(first)[:4]
    assert not set(second[4:]) & set(ids(first))
