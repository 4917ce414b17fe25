"""Served pages follow a merchandiser's blocks, pins and exposure plans while the service runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from protos.shopfront.v1.recommend_pb2 import RecommendPageRequest, RecommendRequest, SceneRequest
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from state.merchandising.plan_terms import PlanTerms
from state.merchandising.rules_file import BusinessRulesFile
from state.plan_counts.plan_count import PlanCount
from testing.served_shop import SCENES, ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"
HOT = "    channels: {hot: {timeout_ms: 2000.0}}\n    rerank: {scatter: null}\n"
MADE = {"operator": "ada", "reason": "test"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop whose scenes show the hottest items."""
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    before, _ = SCENES.split("  home:\n")
    shop.scenes.write_text(f"{before}  home:\n{HOT}  cart:\n{HOT}")
    return shop


@pytest.fixture
def file(shop: ServedShop) -> BusinessRulesFile:
    path = shop.scenes.with_name("business_rules.json")
    path.unlink(missing_ok=True)
    return BusinessRulesFile(path, time.time)


@pytest.fixture
async def running(shop: ServedShop, file: BusinessRulesFile) -> AsyncIterator[RunningService]:
    """The service, which looks at the file ten times a second."""
    settings = shop.settings(NO_TRITON).model_copy(update={"business_rules": file.path})
    started = await start_service(settings)
    yield started
    await started.stop()


async def shown(running: RunningService, scene: str = "home", size: int = 8, **request: object) -> list[str]:
    asked = RecommendRequest(scene=scene, page_size=size, **request)  # type: ignore[arg-type]
    response = await running.service.recommend(asked, new_call(time.monotonic()))
    return [item.item_id for item in response.items]


async def until(running: RunningService, good: Callable[[list[str]], bool]) -> list[str]:
    """The first home page that is good; fails where there is none for long."""
    for _ in range(200):
        page = await shown(running)
        if good(page):
            return page
        await asyncio.sleep(0.05)
    raise AssertionError(f"no good page; the last was {page}")


async def test_a_block_takes_effect_while_it_runs_and_so_does_its_end(
    running: RunningService, file: BusinessRulesFile
) -> None:
    usual = await shown(running)
    file.add("block", "item", usual[0], scene="home", **MADE)
    page = await until(running, lambda page: usual[0] not in page)
    assert page[:-1] == usual[1:]
    assert await shown(running, "cart") == usual
    file.remove("block", "item", usual[0], **MADE)
    assert await until(running, lambda page: usual[0] in page) == usual


async def test_a_category_is_blocked_everywhere(running: RunningService, file: BusinessRulesFile) -> None:
    catalogue = running.live.current.catalogue
    usual = await shown(running)
    (category,) = catalogue.display("category", catalogue.dense(usual[:1]))
    file.add("block", "category", category, **MADE)

    def without(page: list[str]) -> bool:
        return category not in catalogue.display("category", catalogue.dense(page))

    page = await until(running, without)
    assert len(page) == len(usual)


async def test_pins_stand_in_their_slots_and_obey_exclusions_and_blocks(
    running: RunningService, file: BusinessRulesFile
) -> None:
    everything = await shown(running, size=100)
    usual, below = everything[:8], everything[40]
    file.add("pin", "item", below, scene="home", position=3, **MADE)
    page = await until(running, lambda page: page[2] == below)
    assert page == [*usual[:2], below, *usual[2:7]]
    file.add("pin", "item", usual[0], scene="home", position=8, **MADE)
    page = await until(running, lambda page: page[7] == usual[0])
    assert page == [*usual[1:3], below, *usual[3:7], usual[0]]
    assert below not in await shown(running, excluded_item_ids=[below])
    assert await shown(running, "cart") == usual
    file.add("block", "item", below, **MADE)
    assert len(await until(running, lambda page: below not in page)) == 8


async def test_what_no_channel_recalled_is_shown_where_it_is_pinned(
    running: RunningService, file: BusinessRulesFile
) -> None:
    catalogue, everything = running.live.current.catalogue, await shown(running, size=100)
    fit = catalogue.in_stock & ~catalogue.adult.astype(bool)
    known = catalogue.item_ids(np.flatnonzero(fit)[1:].astype(np.int32))
    pinned = next(item for item in known if item not in everything)
    file.add("pin", "item", pinned, scene="home", position=1, **MADE)
    page = await until(running, lambda page: page[0] == pinned)
    assert page[1:] == everything[:7]
    asked = RecommendRequest(scene="home", page_size=8)
    response = await running.service.recommend(asked, new_call(time.monotonic()))
    reasons = [[reason.channel for reason in item.reasons] for item in response.items]
    assert reasons == [[], *[["hot"]] * 7]


async def test_a_pinned_item_that_another_scene_shows_is_not_shown_twice(
    running: RunningService, file: BusinessRulesFile
) -> None:
    usual = await shown(running)
    file.add("pin", "item", usual[0], scene="cart", position=2, **MADE)
    file.add("pin", "item", usual[7], scene="home", position=1, **MADE)
    await until(running, lambda page: page[0] == usual[7])
    request = RecommendPageRequest(
        scenes=[SceneRequest(scene="home", page_size=4), SceneRequest(scene="cart", page_size=4)]
    )
    response = await running.service.recommend_page(request, new_call(time.monotonic()))
    pages = [[item.item_id for item in scene.items] for scene in response.scenes]
    assert [len(page) for page in pages] == [4, 4]
    assert len({*pages[0], *pages[1]}) == 8


async def test_plans_are_kept_and_what_is_shown_under_them_is_counted(
    running: RunningService, file: BusinessRulesFile
) -> None:
    everything = await shown(running, size=100)
    usual, below = everything[:8], everything[9]
    end = int(time.time()) + 3_600
    cap = file.add(
        "plan", "item", usual[0], expires_at=end, plan=PlanTerms(cap=3, slack=3, even=False), **MADE
    )
    lift = file.add(
        "plan",
        "item",
        below,
        scene="home",
        expires_at=end,
        plan=PlanTerms(guarantee=1_000, even=False),
        **MADE,
    )
    assert usual[0] not in await until(running, lambda page: usual[0] not in page and below in page)
    assert usual[0] not in await shown(running, "cart")
    counts = await counted(running, cap.id, lambda count: count.shown == 3)
    assert counts.lifted == 0
    # Of no scorer's page the rank is the value: the tenth in place of the ninth loses little.
    assert (await shown(running))[-1] == below
    lifts = await counted(running, lift.id, lambda count: count.lifted > 0)
    assert lifts.shown >= lifts.lifted
    assert lifts.lost > 0
    file.remove("plan", "item", usual[0], **MADE)
    assert usual[0] in await until(running, lambda page: usual[0] in page)


async def counted(running: RunningService, plan: str, good: Callable[[PlanCount], bool]) -> PlanCount:
    """The first count of a plan in the store that is good; fails where there is none for long."""
    for _ in range(200):
        count = running.store.exchange_plan_counts("", {}, {plan: 4_000_000_000})[plan]
        if good(count):
            return count
        await asyncio.sleep(0.05)
    raise AssertionError(f"no good count; the last was {count}")
