"""A running service: an edit that needs a table waits for the snapshot that has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from router.scenes.components import registered_tables
from server.startup import start_service
from testing.served_shop import make_shop
from tests.router.tables.shop_parts import registered

NO_TRITON = "127.0.0.1:9"
BEFORE = "scenes: {home: {ranking: {enabled: false}}}"
AFTER = "scenes: {home: {ranking: {enabled: false}, filters: {rare: {}}}}"


@pytest.fixture(autouse=True)
def parts() -> Iterator[None]:
    with registered():
        yield


async def wait_until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not true():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.02)


async def test_a_refused_edit_serves_once_a_snapshot_has_its_table(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(tmp_path)
    shop.publish(models={})
    shop.scenes.write_text(BEFORE)
    running = await start_service(shop.settings(NO_TRITON))
    try:
        shop.scenes.write_text(AFTER)
        await wait_until(lambda: "needs the table rare_items" in caplog.text)
        id = shop.publish(models={}, seed=2, tables=registered_tables())
        await wait_until(lambda: running.live.current.snapshot_id == id)
        await wait_until(
            lambda: (
                [stage.name for stage in running.live.current.pipelines["home"].filters]
                == ["excluded", "must", "blocked", "rare"]
            )
        )
    finally:
        await running.stop()
