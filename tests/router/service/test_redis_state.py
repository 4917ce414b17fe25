"""The service with its state in Redis: a killed server costs the person, not the page, until its restart."""

import asyncio
import time
from pathlib import Path

import pytest

from foundation.storage.errors import StorageUnavailable
from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from router.service.call import new_call
from server.startup import start_service
from testing.redis_server import running_redis
from testing.served_shop import make_shop

NO_TRITON = "127.0.0.1:9"


async def test_a_killed_redis_costs_the_person_not_the_page(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    with running_redis() as server:
        state = {"url": server.url, "redis": {"write_tries": 2, "write_timeout_s": 5, "read_timeout_s": 5}}
        running = await start_service(shop.settings(NO_TRITON, state=state))
        service = running.service

        async def report(item: str) -> None:
            event = event_pb2.Event(
                user_id="new", item_id=item, type=event_pb2.EVENT_TYPE_PURCHASE, event_id=item
            )
            answer = await service.report_events(
                event_pb2.ReportEventsRequest(events=[event]), new_call(time.monotonic())
            )
            assert answer.accepted == 1

        async def degraded() -> list[str]:
            response = await service.recommend(
                RecommendRequest(scene="home", user_id="new"), new_call(time.monotonic())
            )
            assert len(response.items) == 20
            return list(response.degraded)

        await report("i0001")
        assert len((await running._store.read("new")).purchases.items) == 1
        assert await degraded() == ["channel:mind", "ranking"]
        assert service.health().reason == ""

        server.kill()
        assert await degraded() == ["state", "ranking"]
        with pytest.raises(StorageUnavailable):
            await report("i0002")
        assert service.health().serving
        assert "user state" in service.health().reason

        await asyncio.to_thread(server.start)
        await report("i0003")
        assert await degraded() == ["channel:mind", "ranking"]
        assert len((await running._store.read("new")).purchases.items) == 2
        assert service.health().reason == ""
        await running.stop()
