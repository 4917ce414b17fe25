"""The weather of the shopper's city in a request: its feature, trace and token, and pins of its alerts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from environment.settings import EnvironmentSettings
from protos.shopfront.v1.recommend_pb2 import Context, RecommendRequest
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from state.attribution import Attribution, AttributionCodec
from state.merchandising.rules_file import BusinessRulesFile
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


class Weather:
    """A web server that says what the test says, or fails in the way it says."""

    def __init__(self) -> None:
        self.mode = "good"
        self.temp = 38.5

    async def answer(self, request: web.Request) -> web.StreamResponse:
        match self.mode:
            case "frozen":
                await asyncio.sleep(60)
            case "status 500":
                return web.Response(status=500)
            case "garbage":
                return web.Response(body=b"\x00\xff{" * 50)
            case "huge":
                response = web.StreamResponse()
                await response.prepare(request)
                while True:
                    await response.write(b"Bonn," * 10_000)
        return web.Response(text=f"city,time,temp\nBonn,{int(time.time())},{self.temp}\n")


@pytest.fixture
async def weather() -> AsyncIterator[tuple[Weather, str]]:
    """The server, and its address."""
    served, app = Weather(), web.Application()
    app.router.add_get("/weather", served.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield served, "http://{}:{}/weather".format(*runner.addresses[0][:2])
    await runner.cleanup()


async def test_pins_of_an_alert_follow_a_feed_that_fails_in_every_way(
    shop: ServedShop, tmp_path: Path, weather: tuple[Weather, str]
) -> None:
    served, url = weather
    rules = BusinessRulesFile(tmp_path / "rules.json", time.time)
    # Quicker than a feed may be asked in operation.
    environment = EnvironmentSettings(url=url, timeout_s=0.3, most_bytes=100_000).model_copy(
        update={"poll_s": 0.1}
    )
    settings = shop.settings(NO_TRITON).model_copy(
        update={"environment": environment, "business_rules": rules.path}
    )
    running = await start_service(settings)
    catalogue = running.live.current.catalogue

    async def first(city: str) -> str:
        request = RecommendRequest(scene="home", page_size=8, context=Context(city=city))
        response = await running.service.recommend(request, new_call(time.monotonic(), None))
        assert len(response.items) == 8
        return catalogue.display("category", catalogue.dense([response.items[0].item_id]))[0]

    async def until(good: Callable[[str], bool], city: str = "Bonn") -> None:
        for _ in range(200):
            if good(await first(city)):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{city} begins with {await first(city)}")

    def looks(outcome: str) -> float:
        labels = {"outcome": outcome}
        return running.metrics.registry.get_sample_value("shopfront_environment_looks_total", labels) or 0.0

    try:
        usual = await first("Bonn")
        others = catalogue.category_names(catalogue.category[1:])
        pinned = next(name for name in sorted(set(others)) if name != usual)
        made = {"operator": "ada", "reason": "heat wave", "scene": "home", "position": 1}
        rules.add("pin", "category", pinned, alert="heat", **made)  # type: ignore[arg-type]
        await until(lambda category: category == pinned)
        assert await first("Aalen") == usual
        for mode in ("status 500", "garbage", "huge", "frozen"):
            served.mode, before = mode, looks("failed")
            for _ in range(200):
                if looks("failed") >= before + 2:
                    break
                await asyncio.sleep(0.05)
            assert looks("failed") >= before + 2, mode
            assert await first("Bonn") == pinned, mode
        served.mode, served.temp = "good", 20.0
        await until(lambda category: category == usual)
    finally:
        await running.stop()
