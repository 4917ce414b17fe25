"""Templates over the service: what clients report as seen, and nothing else, moves the next visit's page."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from testing.served_shop import SCENES, ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"
HOT = "    channels: {hot: {timeout_ms: 2000.0}}\n"
HOUR_MS = 3_600_000
SEEN, VIEW = event_pb2.EVENT_TYPE_IMPRESSION, event_pb2.EVENT_TYPE_VIEW


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop whose home page has templates, and whose other scene hides what was seen."""
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    before, _ = SCENES.split("  home:\n")
    shop.scenes.write_text(
        f"{before}  home:\n{HOT}    rerank: {{scatter: null, templates: {{count: 3}}}}\n"
        f"  cart:\n{HOT}    rerank: {{scatter: null}}\n    filters: {{exposed: {{hours: 3.0}}}}\n"
    )
    return shop


@pytest.fixture
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    """The service, which keeps six pages of five seen items."""
    started = await start_service(shop.settings(NO_TRITON, state={"max_seen": 30}))
    yield started
    await started.stop()


async def page(running: RunningService, user: str, scene: str = "home") -> RecommendResponse:
    request = RecommendRequest(scene=scene, user_id=user, page_size=5)
    return await running.service.recommend(request, new_call(time.monotonic()))


def ids(response: RecommendResponse) -> list[str]:
    return [item.item_id for item in response.items]


async def report(
    running: RunningService, user: str, items: list[str], hours: float, token: str = "", event: int = SEEN
) -> None:
    at = int(time.time() * 1_000 - hours * HOUR_MS)
    events = [
        event_pb2.Event(user_id=user, item_id=item, type=event, timestamp_ms=at, attribution_token=token)
        for item in items
    ]
    response = await running.service.report_events(
        event_pb2.ReportEventsRequest(events=events), new_call(time.monotonic())
    )
    assert response.accepted == len(items)


async def test_a_page_gives_way_once_its_client_says_that_it_was_seen_in_an_earlier_visit(
    running: RunningService,
) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    first = await page(running, user)
    # App starts, and reports without a token or with another's, use nothing up.
    other = await page(running, "somebody else")
    await report(running, user, ids(first), 2)
    await report(running, user, ids(first), 2, other.attribution_token)
    assert ids(await page(running, user)) == ids(first)
    await report(running, user, ids(first), 2, first.attribution_token)
    second = await page(running, user)
    assert not set(ids(second)) & set(ids(first))
    # Seen now: the visit goes on, and the page stays.
    await report(running, user, ids(second), 0, second.attribution_token)
    assert ids(await page(running, user)) == ids(second)
    # A view asks for new templates.
    await report(running, user, ids(first)[:1], 0, event=VIEW)
    assert ids(await page(running, user)) == ids(first)


async def test_the_strict_filter_hides_at_once_what_was_seen(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    first = await page(running, user, "cart")
    assert ids(await page(running, user, "cart")) == ids(first)
    await report(running, user, ids(first)[:2], 1, first.attribution_token)
    await report(running, user, ids(first)[2:3], 4, first.attribution_token)
    assert ids(await page(running, user, "cart"))[:3] == ids(first)[2:]


async def test_who_never_opens_anything_is_shown_another_page_at_each_visit(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    visits: list[list[str]] = []
    for hours in range(40, 20, -1):
        answer = await page(running, user)
        visits.append(ids(answer))
        await report(running, user, ids(answer), hours, answer.attribution_token)
    assert sum(last == this for last, this in pairwise(visits)) <= 2
