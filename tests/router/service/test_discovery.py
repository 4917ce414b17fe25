"""A served page gives its share of slots to items that the shopper never took."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator

import pytest

from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from testing.served_shop import SCENES, ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"
HOT = "    channels: {hot: {timeout_ms: 2000.0}}\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop whose scenes show the hottest items: `home` with discovery, `cart` without."""
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    before, _ = SCENES.split("  home:\n")
    shop.scenes.write_text(
        f"{before}  home:\n{HOT}    rerank: {{scatter: null, discovery: {{share: 0.25, apart: 0}}}}\n"
        f"  cart:\n{HOT}    rerank: {{scatter: null}}\n"
    )
    return shop


@pytest.fixture
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    """The service."""
    started = await start_service(shop.settings(NO_TRITON))
    yield started
    await started.stop()


async def page(running: RunningService, scene: str, user: str = "", size: int = 12) -> list[str]:
    request = RecommendRequest(scene=scene, user_id=user, page_size=size)
    response = await running.service.recommend(request, new_call(time.monotonic()))
    return [item.item_id for item in response.items]


async def test_slots_4_8_and_12_go_to_items_that_the_shopper_never_viewed(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    assert await page(running, "home", user) == await page(running, "cart", user)
    ranked = await page(running, "cart", size=40)
    viewed, others = ranked[:20], ranked[20:]
    events = [event_pb2.Event(user_id=user, item_id=item, type=event_pb2.EVENT_TYPE_VIEW) for item in viewed]
    await running.service.report_events(
        event_pb2.ReportEventsRequest(events=events), new_call(time.monotonic())
    )
    assert await page(running, "cart", user) == viewed[:12]
    shown = await page(running, "home", user)
    assert shown == [
        *(viewed[0:3] + others[:1]),
        *(viewed[3:6] + others[1:2]),
        *(viewed[6:9] + others[2:3]),
    ]
    for size in range(1, 12):
        assert await page(running, "home", user, size) == shown[:size]
    whole = await page(running, "home", user, 100)
    assert sorted(whole) == sorted(await page(running, "cart", user, 100))


async def test_an_anonymous_page_is_the_one_without_discovery(running: RunningService) -> None:
    assert await page(running, "home") == await page(running, "cart")
