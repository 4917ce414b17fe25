"""Pages for what the shopper is looking for, and pages that follow one another, through the whole service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protos.shopfront.v1.recommend_pb2 import (
    Context,
    ContextField,
    PriceRange,
    RecommendPageRequest,
    RecommendRequest,
    RecommendResponse,
    SceneRequest,
    SimilarItemsRequest,
)
from rollout.rollouts import Rollouts
from router.errors import CallerError
from router.service.call import new_call
from router.service.context import asked_of
from server.running_service import RunningService
from server.startup import start_service
from testing.served_shop import ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"
SCENES = """
  search_companion:
    channels:
      context: {share: 0.7, timeout_ms: 2000.0}
      ranki2i: {share: 0.2, timeout_ms: 2000.0}
      hot: {share: 0.1, timeout_ms: 2000.0}
    ranking: {scorers: {context: {}}}
    rerank: {scatter: null}
    page: {default_size: 10}
  short_paging:
    channels:
      hot: {timeout_ms: 2000.0}
    page: {default_size: 10, cursor_items: 25}
"""
QUERY = ContextField.CONTEXT_FIELD_SEARCH_QUERY
CATEGORY = ContextField.CONTEXT_FIELD_CATEGORY
BRAND = ContextField.CONTEXT_FIELD_BRAND
PRICE = ContextField.CONTEXT_FIELD_PRICE


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    shop.scenes.write_text(shop.scenes.read_text().rstrip("\n") + SCENES)
    return shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    started = await start_service(shop.settings(NO_TRITON))
    yield started
    await started.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def page(
    running: RunningService, scene: str = "search_companion", **fields: object
) -> RecommendResponse:
    request = RecommendRequest(scene=scene, **fields)  # type: ignore[arg-type]
    return await running.service.recommend(request, new_call(time.monotonic()))


def ids(response: RecommendResponse) -> list[str]:
    return [item.item_id for item in response.items]


def dense(running: RunningService, response: RecommendResponse) -> np.ndarray:
    return running.live.current.catalogue.dense(ids(response))


async def test_a_preference_lifts_what_fits(running: RunningService) -> None:
    plain = await page(running)
    for context, category in (
        (Context(category="Tea"), "Tea"),
        (Context(search_query="tea"), "Tea"),
        (Context(search_query="cofee"), "Coffee"),
    ):
        answer = await page(running, context=context)
        fits = [item.category == category for item in answer.items]
        assert fits[:3] == [True] * 3
        assert sum(fits) > sum(item.category == category for item in plain.items)
        assert len(answer.items) == 10
        assert not answer.HasField("matching_items")
    assert {
        item.reasons[0].channel for item in (await page(running, context=Context(category="Tea"))).items[:3]
    } == {"context"}


async def test_rollouts_are_not_judged_by_what_shoppers_search_for_in_vain(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, ...]] = []

    def answered(*_: object, degraded: Sequence[str], **__: object) -> None:
        told.append(tuple(degraded))

    monkeypatch.setattr(Rollouts, "answered", answered)
    plain = await page(running)
    answer = await page(running, context=Context(search_query="tea qqqqqq"))
    assert set(answer.degraded) == {*plain.degraded, "query_partial"}
    assert told == [tuple(plain.degraded)] * 2


async def test_unknown_things_are_named_and_a_must_of_them_is_an_empty_page(running: RunningService) -> None:
    context = Context(search_query="qqqqqq", category="Nowhere", brand="Nobody")
    answer = await page(running, context=context)
    assert {"query_unknown", "category_unknown", "brand_unknown"} <= set(answer.degraded)
    assert "query_partial" in (await page(running, context=Context(search_query="tea qqqqqq"))).degraded
    assert ids(answer) == ids(await page(running))
    for must in ([QUERY], [CATEGORY], [BRAND]):
        context.ClearField("must")
        context.must.extend(must)
        answer = await page(running, context=context)
        assert not answer.items
        assert answer.matching_items == 0
        assert answer.HasField("matching_items")
        assert not answer.next_page_cursor


async def test_a_must_holds_in_every_scene_and_for_items_about_one(running: RunningService) -> None:
    context = Context(category="Pens", price=PriceRange(minimum=5.0), must=[CATEGORY, PRICE])
    request = RecommendPageRequest(
        scenes=[SceneRequest(scene=scene, page_size=50) for scene in ("home", "cart", "search_companion")],
        context=context,
    )
    answers = list((await running.service.recommend_page(request, new_call(time.monotonic()))).scenes)
    similar = SimilarItemsRequest(item_id="i0001", context=context, page_size=50)
    answers.append(await running.service.similar_items(similar, new_call(time.monotonic())))
    catalogue = running.live.current.catalogue
    for answer in answers:
        items = dense(running, answer)
        assert set(catalogue.category_names(catalogue.category[items])) <= {"Pens"}
        assert (catalogue.price[items] >= 5).all()
        assert answer.matching_items > 0
    assert answers[0].items
    assert answers[3].items


@pytest.mark.parametrize(
    ("context", "field"),
    [
        (Context(search_query="x" * 257), "context.search_query"),
        (Context(price=PriceRange(minimum=float("nan"))), "context.price.minimum"),
        (Context(price=PriceRange(maximum=-1)), "context.price.maximum"),
        (Context(price=PriceRange(minimum=2, maximum=1)), "context.price"),
        (Context(must=[BRAND]), "context.must"),
        (Context(must=[0]), "context.must[0]"),
        (Context(must=[QUERY] * 5), "context.must"),
    ],
)
async def test_a_wrong_context_is_refused_by_field(
    running: RunningService, context: Context, field: str
) -> None:
    with pytest.raises(CallerError) as error:
        await page(running, context=context)
    assert [violation.field for violation in error.value.violations] == [field]


WORDS = st.lists(st.sampled_from(["tea", "alder", "birch", "no", "pens", "Plants", "xyz", "12"]), max_size=3)
PRICES = st.one_of(st.none(), st.floats(0, 60))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=WORDS,
    category=st.sampled_from(["", "Tea", "Games", "kitchen", "none"]),
    brand=st.sampled_from(["", "Alder", "FIR", "none"]),
    prices=st.tuples(PRICES, PRICES),
    must=st.sets(st.sampled_from([QUERY, CATEGORY, BRAND, PRICE])),
    size=st.integers(1, 100),
    scene=st.sampled_from(["search_companion", "home"]),
    user=st.sampled_from(["", "u0001"]),
)
async def test_no_page_ever_violates_a_must(
    running: RunningService,
    words: list[str],
    category: str,
    brand: str,
    prices: tuple[float | None, float | None],
    must: set[int],
    size: int,
    scene: str,
    user: str,
) -> None:
    low, high = prices
    if low is not None and high is not None and low > high:
        low, high = high, low
    said = {
        QUERY: bool(words),
        CATEGORY: bool(category),
        BRAND: bool(brand),
        PRICE: (low, high) != (None, None),
    }
    must = {field for field in must if said[field]}
    context = Context(
        search_query=" ".join(words),
        category=category,
        brand=brand,
        price=PriceRange(minimum=low, maximum=high),
        must=must,
    )
    answer = await page(running, scene, context=context, page_size=size, user_id=user)
    catalogue = running.live.current.catalogue
    every = np.arange(1, catalogue.size + 1)
    fits = np.asarray(catalogue.in_stock[1:]) & ~catalogue.adult[1:]
    if CATEGORY in must:
        names = zip(
            catalogue.category_names(catalogue.category[every]),
            catalogue.names("standard_category", catalogue.column("standard_category")[every]),
            strict=True,
        )
        fits &= [category.lower() in (one.lower(), other.lower()) for one, other in names]
    if BRAND in must:
        fits &= [brand.lower() == name.lower() for name in catalogue.names("brand", catalogue.brand[every])]
    if PRICE in must:
        price = catalogue.price[every]
        fits &= (price >= np.float32(0 if low is None else low)) & (
            price <= np.float32(1e9 if high is None else high)
        )
    if QUERY in must:
        wish, _ = running.live.current.context_index.wish(asked_of(context))
        assert wish.text is None or set(wish.text.items.tolist()) <= set(every.tolist())
        found = set() if wish.text is None else set(wish.text.items[wish.text.every_word].tolist())
        fits &= [int(item) in found for item in every]
    allowed = set(every[fits].tolist())
    shown = dense(running, answer).tolist()
    assert set(shown) <= allowed
    assert len(set(shown)) == len(shown)
    if not user:
        assert len(shown) == min(size, len(allowed))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    scene=st.sampled_from(["home", "search_companion"]),
    category=st.sampled_from(["", "Kitchen"]),
)
async def test_pages_by_cursor_repeat_nothing_until_all_is_shown(
    running: RunningService, sizes: list[int], scene: str, category: str
) -> None:
    context = Context(category=category, must=[CATEGORY] if category else [])
    seen: list[str] = []
    cursor, turn = "", 0
    while True:
        size = sizes[turn % len(sizes)]
        answer = await page(running, scene, context=context, page_size=size, page_cursor=cursor)
        seen += ids(answer)
        assert len(answer.next_page_cursor) <= 8_192
        cursor, turn = answer.next_page_cursor, turn + 1
        if not cursor:
            break
    assert len(set(seen)) == len(seen)
    catalogue = running.live.current.catalogue
    kitchen = np.array(
        [
            not category or name == "Kitchen"
            for name in catalogue.names("standard_category", catalogue.column("standard_category")[1:])
        ]
    )
    sellable = np.asarray(catalogue.in_stock[1:]) & ~catalogue.adult[1:] & kitchen
    assert len(seen) == np.count_nonzero(sellable)


async def test_the_next_pages_of_scenes_that_are_shown_together_repeat_nothing_of_each_other(
    running: RunningService,
) -> None:
    cursors, seen = {"home": "", "cart": ""}, []
    for _ in range(4):
        asked = [
            SceneRequest(scene=name, page_size=8, page_cursor=cursor) for name, cursor in cursors.items()
        ]
        request = RecommendPageRequest(scenes=asked, user_id="u0003")
        answers = (await running.service.recommend_page(request, new_call(time.monotonic()))).scenes
        seen += [item for answer in answers for item in ids(answer)]
        cursors = {answer.scene: answer.next_page_cursor for answer in answers}
    assert len(seen) == 64
    assert len(set(seen)) == 64


async def test_a_cursor_survives_another_snapshot(running: RunningService, shop: ServedShop) -> None:
    first = await page(running, "home", user_id="u0002", page_size=20)
    before = running.live.current.snapshot_id
    shop.publish(models={}, seed=2)
    for _ in range(600):
        if running.live.current.snapshot_id != before:
            break
        await asyncio.sleep(0.05)
    second = await page(running, "home", user_id="u0002", page_size=20, page_cursor=first.next_page_cursor)
    assert second.snapshot_id != first.snapshot_id
    assert len(second.items) == 20
    assert not set(ids(first)) & set(ids(second))


async def test_deep_paging_ends_where_the_scene_says(running: RunningService) -> None:
    first = await page(running, "short_paging")
    assert first.next_page_cursor
    second = await page(running, "short_paging", page_cursor=first.next_page_cursor)
    assert len(second.items) == 10
    assert not second.next_page_cursor


async def test_a_foreign_or_forged_cursor_is_refused_by_field(running: RunningService) -> None:
    cursor = (await page(running, "home", user_id="u0002", page_size=5)).next_page_cursor
    for scene, user, sent in (
        ("home", "u0003", cursor),
        ("home", "", cursor),
        ("cart", "u0002", cursor),
        ("home", "u0002", cursor[:-1]),
        ("home", "u0002", "\x00\udcff".encode("utf-8", "replace").decode()),
    ):
        for checked_only in (False, True):
            with pytest.raises(CallerError) as error:
                await page(running, scene, user_id=user, page_cursor=sent, validate_only=checked_only)
            assert [violation.field for violation in error.value.violations] == ["page_cursor"]
    request = RecommendPageRequest(
        scenes=[SceneRequest(scene="cart"), SceneRequest(scene="home", page_cursor="x")], user_id="u0002"
    )
    with pytest.raises(CallerError) as error:
        await running.service.recommend_page(request, new_call(time.monotonic()))
    assert [violation.field for violation in error.value.violations] == ["scenes[1].page_cursor"]
