"""The weather of the shopper's city in a request: its feature, its trace, and what its token says of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from environment.settings import EnvironmentSettings
from protos.shopfront.v1.recommend_pb2 import Context, RecommendRequest
from router.service.call import new_call
from server.startup import RunningService, start_service
from state.attribution import Attribution, AttributionCodec
from testing.served_shop import ServedShop, make_shop

pytestmark = pytest.mark.slow

NO_TRITON = "127.0.0.1:9"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
async def running(shop: ServedShop, tmp_path: Path) -> AsyncIterator[RunningService]:
    """A service that is told of heat in Bonn."""
    weather = tmp_path / "weather.csv"
    weather.write_text(f"city,time,temp\nBonn,{int(time.time()) - 600},38.5\nAalen,{int(time.time())},20\n")
    environment = EnvironmentSettings(file=weather, default_city="Aalen")
    settings = shop.settings(NO_TRITON).model_copy(update={"environment": environment})
    started = await start_service(settings)
    yield started
    await started.stop()


async def answered(running: RunningService, city: str) -> tuple[Attribution, list[str]]:
    """The fields of the answer's token, and the stages of its trace."""
    request = RecommendRequest(scene="home", with_trace=True, context=Context(city=city))
    response = await running.service.recommend(request, new_call(time.monotonic(), None))
    assert len(response.items) == 20
    token = AttributionCodec().decode(response.attribution_token)
    return token, [stage.stage for stage in response.trace.stages]


async def test_a_request_knows_the_alerts_of_its_city_and_says_them_to_the_learner(
    running: RunningService,
) -> None:
    hot, stages = await answered(running, "Bonn")
    assert hot.weather == "heat"
    assert "feature:surroundings" in stages
    assert (await answered(running, ""))[0].weather == ""
    assert (await answered(running, "Nowhere"))[0].weather == ""


async def test_without_a_feed_nothing_is_read(shop: ServedShop) -> None:
    started = await start_service(shop.settings(NO_TRITON))
    try:
        token, stages = await answered(started, "Bonn")
    finally:
        await started.stop()
    assert token.weather == ""
    assert "feature:surroundings" not in stages
