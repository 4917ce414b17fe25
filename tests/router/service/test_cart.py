"""Pages with a cart: about its items, without them, by request or by the cart events in the state."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.recommend_pb2 import (
    RecommendPageRequest,
    RecommendRequest,
    RecommendResponse,
    SceneRequest,
)
from router.errors import CallerError
from router.ranking.anchor_table import ANCHOR_PAIRS
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from testing.served_shop import ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"
SCENES = """
  cart:
    cart: {from_state_hours: 24.0}
    channels:
      bought_together: {share: 0.95, timeout_ms: 2000.0}
      hot: {share: 0.05, timeout_ms: 2000.0}
    ranking: {scorers: {anchor: {category_boost: 0.0}}}
    rerank: {scatter: null}
    page: {default_size: 10}
  by_request:
    channels:
      bought_together: {share: 0.95, timeout_ms: 2000.0}
      hot: {share: 0.05, timeout_ms: 2000.0}
    ranking: {scorers: {anchor: {category_boost: 0.0}}}
    page: {default_size: 10}
  similar_items:
"""
CART, PURCHASE = event_pb2.EVENT_TYPE_CART, event_pb2.EVENT_TYPE_PURCHASE
REMOVED = event_pb2.EVENT_TYPE_REMOVE_FROM_CART


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    before, rest = shop.scenes.read_text().split("  cart:")
    _, after = rest.split("  similar_items:\n")
    shop.scenes.write_text(before + SCENES.lstrip("\n") + after)
    shop.publish(tables={ANCHOR_PAIRS.name: ANCHOR_PAIRS})
    return shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    started = await start_service(shop.settings(NO_TRITON))
    yield started
    await started.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def page(running: RunningService, scene: str = "cart", **fields: object) -> RecommendResponse:
    request = RecommendRequest(scene=scene, **fields)  # type: ignore[arg-type]
    return await running.service.recommend(request, new_call(time.monotonic()))


async def send(running: RunningService, user: str, *events: tuple[str, int, float], pieces: int = 0) -> None:
    """Reports (item, type, hours ago) of one shopper, each of so many pieces."""
    now_ms = int(time.time() * 1_000)
    sent = [
        event_pb2.Event(
            user_id=user,
            item_id=item,
            type=kind,
            timestamp_ms=now_ms - int(hours * 3_600_000),
            quantity=pieces,
        )
        for item, kind, hours in events
    ]
    request = event_pb2.ReportEventsRequest(events=sent)
    reported = await running.service.report_events(request, new_call(time.monotonic()))
    assert reported.accepted == len(events)


def ids(response: RecommendResponse) -> list[str]:
    return [item.item_id for item in response.items]


def triggers(response: RecommendResponse) -> set[str]:
    """What caused the recall of the page's items."""
    return {reason.trigger_item_id for item in response.items for reason in item.reasons} - {""}


def sold_items(running: RunningService, *, in_stock: bool = True) -> list[str]:
    """Items of the catalogue, best sold first."""
    catalogue = running.live.current.catalogue
    wanted = np.flatnonzero((np.asarray(catalogue.in_stock[1:]) == in_stock) & ~catalogue.adult[1:]) + 1
    order = np.argsort(-np.asarray(catalogue.popularity)[wanted], kind="stable")
    return list(catalogue.item_ids(wanted[order].astype(np.int32)))


async def test_a_page_is_about_the_cart_and_contains_none_of_it(running: RunningService) -> None:
    cart = sold_items(running)[20:23]
    answer = await page(running, cart_item_ids=cart)
    assert not answer.degraded
    assert len(set(ids(answer))) == 10
    assert not set(ids(answer)) & set(cart)
    assert triggers(answer) <= set(cart)
    assert len(triggers(answer)) > 1
    assert ids(answer) != ids(await page(running))
    assert ids(answer) != ids(await page(running, cart_item_ids=sold_items(running)[50:53]))


async def test_every_scene_of_a_page_knows_the_cart(running: RunningService) -> None:
    cart = sold_items(running)[:2]
    request = RecommendPageRequest(
        scenes=[SceneRequest(scene="by_request"), SceneRequest(scene="cart")], cart_item_ids=cart
    )
    answer = await running.service.recommend_page(request, new_call(time.monotonic()))
    for scene in answer.scenes:
        assert triggers(scene) <= set(cart)
        assert not set(ids(scene)) & set(cart)


async def test_duplicates_are_one_item_with_the_pieces_of_both(running: RunningService) -> None:
    one, other = sold_items(running)[20:22]
    merged = await page(running, cart_item_ids=[one, other, one], cart_quantities=[1, 1, 3])
    assert ids(merged) == ids(await page(running, cart_item_ids=[one, other], cart_quantities=[4, 1]))
    assert ids(await page(running, cart_item_ids=[one, one, other])) == ids(
        await page(running, cart_item_ids=[one, other], cart_quantities=[2, 0])
    )


async def test_more_pieces_weigh_more_up_to_a_cap(running: RunningService) -> None:
    one, other = sold_items(running)[20], sold_items(running)[60]
    cart = [one, other]
    scores = [
        [item.score for item in (await page(running, cart_item_ids=cart, cart_quantities=pieces)).items]
        for pieces in ([8, 1], [1, 8], [2**31 - 1, 1])
    ]
    assert scores[0] != scores[1]
    assert scores[0] == scores[2]


async def test_unknown_items_are_named_and_the_others_count(running: RunningService) -> None:
    cart = sold_items(running)[20:22]
    answer = await page(running, cart_item_ids=[cart[0], "nobody-sells-this", cart[1]])
    assert list(answer.degraded) == ["cart_unknown"]
    assert ids(answer) == ids(await page(running, cart_item_ids=cart))


async def test_a_cart_of_unknown_items_is_answered_as_none(running: RunningService) -> None:
    answer = await page(running, cart_item_ids=["nobody-sells-this"], user_id="nobody-yet")
    assert list(answer.degraded) == ["cart_unknown"]
    assert ids(answer) == ids(await page(running, user_id="nobody-yet"))


async def test_an_excluded_item_of_the_cart_changes_nothing(running: RunningService) -> None:
    cart = sold_items(running)[20:22]
    plain = await page(running, cart_item_ids=cart)
    assert ids(await page(running, cart_item_ids=cart, excluded_item_ids=cart[:1])) == ids(plain)
    first = ids(plain)[0]
    assert first not in ids(await page(running, cart_item_ids=cart, excluded_item_ids=[first]))


async def test_a_sold_out_item_of_the_cart_still_says_what_goes_with_it(running: RunningService) -> None:
    catalogue = running.live.current.catalogue
    gone = sold_items(running, in_stock=False)[:1]
    answer = await page(running, cart_item_ids=gone)
    assert not answer.degraded
    assert len(ids(answer)) == 10
    assert triggers(answer) == set(gone)
    assert catalogue.in_stock[catalogue.dense(ids(answer))].all()


async def test_the_state_gives_the_cart_where_the_scene_says_so(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    kept, bought, old, again = sold_items(running)[20:24]
    await send(
        running,
        user,
        (kept, CART, 3),
        (bought, CART, 5),
        (bought, PURCHASE, 4),
        (old, CART, 30),
        (again, PURCHASE, 4),
        (again, CART, 2),
    )
    answer = await page(running, user_id=user)
    assert ids(answer) == ids(await page(running, user_id=user, cart_item_ids=[again, kept]))
    assert triggers(await page(running, user_id=user, page_size=100)) == {kept, again}
    assert triggers(await page(running, "by_request", user_id=user, page_size=100)) > {kept, again}


async def test_what_was_taken_out_is_not_in_the_cart_and_not_on_its_page(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    first, second, *_ = sold_items(running)[20:24]
    await send(running, user, (first, CART, 3), (second, CART, 3), pieces=3)
    before = await page(running, user_id=user, page_size=20)
    assert triggers(before) == {first, second}
    offered = ids(before)[0]
    await send(running, user, (offered, CART, 2))
    await send(running, user, (offered, REMOVED, 1))
    after = await page(running, user_id=user, page_size=100)
    assert triggers(after) == {first, second}
    assert offered not in ids(after)
    assert offered not in ids(await page(running, user_id=user, cart_item_ids=[first], page_size=100))
    # Longer ago than `removed_hours`, and in scenes without a cart of their own, it may be shown.
    assert offered in ids(await page(running, "by_request", cart_item_ids=[first], page_size=100))
    longer = f"shopper-{uuid.uuid4().hex}"
    await send(running, longer, (first, CART, 3), (second, CART, 3), pieces=3)
    await send(running, longer, (offered, CART, 50))
    await send(running, longer, (offered, REMOVED, 49))
    assert ids(await page(running, user_id=longer, page_size=20))[0] == offered


async def test_pieces_that_are_left_weigh_as_those_of_a_request(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    one, other = sold_items(running)[20], sold_items(running)[60]
    await send(running, user, (one, CART, 4), pieces=9)
    await send(running, user, (other, CART, 5))
    await send(running, user, (one, REMOVED, 3), pieces=5)
    answer = await page(running, user_id=user)
    asked = await page(running, user_id=user, cart_item_ids=[one, other], cart_quantities=[4, 1])
    assert [item.score for item in answer.items] == [item.score for item in asked.items]
    assert ids(answer) == ids(asked)
    await send(running, user, (one, REMOVED, 2), pieces=4)
    assert triggers(await page(running, user_id=user, page_size=100)) == {other}


async def test_a_cart_of_the_request_replaces_that_of_the_state(running: RunningService) -> None:
    user = f"shopper-{uuid.uuid4().hex}"
    put, named = sold_items(running)[20:22]
    await send(running, user, (put, CART, 1))
    assert triggers(await page(running, user_id=user, cart_item_ids=[named])) == {named}


async def test_a_cart_of_a_thousand_items_is_refused(running: RunningService) -> None:
    with pytest.raises(CallerError) as error:
        await page(running, cart_item_ids=["x"] * 1_000)
    assert [violation.field for violation in error.value.violations] == ["cart_item_ids"]
    assert "200" in error.value.violations[0].description


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(st.integers(0, 119), min_size=1, max_size=60),
    quantities=st.lists(st.integers(0, 20), min_size=60, max_size=60),
    size=st.integers(1, 100),
    scene=st.sampled_from(["cart", "by_request"]),
    known=st.booleans(),
)
async def test_no_page_ever_contains_an_item_of_the_cart(
    running: RunningService,
    places: Sequence[int],
    quantities: Sequence[int],
    size: int,
    scene: str,
    known: bool,
) -> None:
    catalogue = running.live.current.catalogue
    cart = list(catalogue.item_ids(np.array(places, np.int32) % catalogue.size + 1))
    answer = await page(
        running,
        scene,
        user_id="user-1" if known else "",
        cart_item_ids=cart,
        cart_quantities=quantities[: len(cart)],
        page_size=size,
    )
    shown = ids(answer)
    assert not set(shown) & set(cart)
    sellable = set(sold_items(running)) - set(cart)
    if not known:
        assert len(shown) == min(size, len(sellable))
