"""Feeds: a file that is replaced, a web server that is slow, large, wrong or gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from environment.board import Board
from environment.feeds import FileFeed, UrlFeed, feed_of
from environment.metrics import EnvironmentMetrics
from environment.readings import FeedError
from environment.settings import EnvironmentSettings
from environment.watch import EnvironmentWatch
from foundation.telemetry.metrics.process_metrics import ProcessMetrics

HOT = b"city,time,temp\nBonn,1700000000,38\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves a handler on a free port; returns its address."""
    runners = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_get("/weather", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}/weather"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_an_address_is_asked_whether_anything_has_changed(serve: Serve) -> None:
    tags = []

    async def handler(request: web.Request) -> web.StreamResponse:
        tags.append(request.headers.get("If-None-Match"))
        if tags[-1] == '"1"':
            return web.Response(status=304)
        return web.Response(body=HOT, headers={"ETag": '"1"'})

    feed = UrlFeed(await serve(handler), 5.0, 1_000)
    assert [await feed.read(), await feed.read()] == [HOT, None]
    assert tags == [None, '"1"']


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: web.Response(status=500), "status 500"),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "status 302"),
        (lambda: web.Response(status=304), "status 304"),
        (lambda: web.Response(body=b"x" * 2_000), "more than 1,000 bytes"),
    ],
)
async def test_an_answer_that_is_none_is_refused(
    serve: Serve, answer: Callable[[], web.Response], why: str
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return answer()

    with pytest.raises(FeedError, match=why):
        await UrlFeed(await serve(handler), 5.0, 1_000).read()


async def test_one_that_hangs_or_is_gone_is_not_waited_for(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response(body=HOT)

    with pytest.raises(FeedError, match=r"within 0\.05 s"):
        await UrlFeed(await serve(handler), 0.05, 1_000).read()
    with pytest.raises(FeedError, match="cannot be reached"):
        await UrlFeed("http://127.0.0.1:9/weather", 5.0, 1_000).read()


async def test_a_file_is_read_when_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "weather.csv"
    feed = FileFeed(path, 1_000)
    with pytest.raises(FeedError, match="No such file"):
        await feed.read()
    path.write_bytes(HOT)
    assert [await feed.read(), await feed.read()] == [HOT, None]
    (tmp_path / "next").write_bytes(HOT * 100)
    os.replace(tmp_path / "next", path)
    with pytest.raises(FeedError, match="more than 1,000 bytes"):
        await feed.read()
    assert feed_of(EnvironmentSettings()) is None


async def test_what_was_good_stays_where_the_feed_fails_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "weather.csv"
    path.write_bytes(HOT)
    settings = EnvironmentSettings(file=path)
    board, metrics = Board.of_settings(settings), ProcessMetrics()
    now = [1_700_000_060.0]
    watch = EnvironmentWatch(FileFeed(path, 1_000), board, metrics.group(EnvironmentMetrics), lambda: now[0])
    assert await watch.look()
    assert board.of("Bonn", 1_700_000_060).alerts == ("heat",)
    path.write_bytes(b"{")
    assert not await watch.look()
    path.write_bytes(b"{ ")
    assert not await watch.look()
    assert board.of("Bonn", 1_700_000_060).alerts == ("heat",)
    assert len([record for record in caplog.records if "no JSON" in record.message]) == 1
    path.write_bytes(b"city,time,temp\nBonn,1700000000,38\nBonn,1700003600,20\n")
    now[0] += 3_600
    assert await watch.look()
    assert board.of("Bonn", 1_700_003_660).alerts == ()

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"shopfront_environment_{name}", labels)

    assert value("looks_total", outcome="taken") == 2
    assert value("looks_total", outcome="failed") == 2
    assert value("drops_total", reason="known") == 1
    assert value("alerts", alert="heat") == 0
    assert value("age_seconds") == 60
