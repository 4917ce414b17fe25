"""Pages about one item, ranked by what goes with it: also where the item is unknown, sold out or excluded."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import numpy as np
import pytest

from protos.shopfront.v1.recommend_pb2 import RecommendResponse, SimilarItemsKind, SimilarItemsRequest
from router.ranking.anchor_table import ANCHOR_PAIRS
from router.service.call import new_call
from server.running_service import RunningService
from server.startup import start_service
from testing.served_shop import ServedShop, make_shop

NO_TRITON = "127.0.0.1:9"
SCENE = """
  similar_items:
    channels:
      bought_together: {share: 0.95, timeout_ms: 2000.0}
      hot: {share: 0.05, timeout_ms: 2000.0}
    ranking: {scorers: {anchor: {own_weight: 0.5}}}
    rerank: {scatter: null}
    page: {default_size: 10}
  substitutes:
    channels:
      category_hot: {share: 0.5, timeout_ms: 2000.0}
      bought_together: {share: 0.5, timeout_ms: 2000.0}
    ranking: {scorers: {anchor: {category_boost: 1000.0}}}
    rerank: {scatter: null}
    page: {default_size: 5}
  complements:
    channels:
      bought_together: {share: 0.95, timeout_ms: 2000.0}
      hot: {share: 0.05, timeout_ms: 2000.0}
    ranking: {scorers: {anchor: {category_boost: -1.0}}}
    rerank: {scatter: null}
    page: {default_size: 5}
"""
SIMILAR, COMPLEMENTARY = (
    SimilarItemsKind.SIMILAR_ITEMS_KIND_SIMILAR,
    SimilarItemsKind.SIMILAR_ITEMS_KIND_COMPLEMENTARY,
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    before, _ = shop.scenes.read_text().split("  similar_items:")
    shop.scenes.write_text(before + SCENE.lstrip("\n"))
    shop.publish(tables={ANCHOR_PAIRS.name: ANCHOR_PAIRS})
    return shop


@pytest.fixture
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    started = await start_service(shop.settings(NO_TRITON))
    yield started
    await started.stop()


async def page(running: RunningService, item_id: str, **fields: object) -> RecommendResponse:
    request = SimilarItemsRequest(item_id=item_id, **fields)  # type: ignore[arg-type]
    return await running.service.similar_items(request, new_call(time.monotonic()))


def ids(response: RecommendResponse) -> list[str]:
    return [item.item_id for item in response.items]


async def best_sold(running: RunningService, count: int) -> list[str]:
    catalogue = running.live.current.catalogue
    shown = np.asarray(catalogue.popularity) * (catalogue.in_stock & ~catalogue.adult)
    best = np.argsort(-shown[1:], kind="stable")[:count] + 1
    return list(catalogue.item_ids(best.astype(np.int32)))


async def test_pages_are_about_their_item_and_need_no_model(running: RunningService) -> None:
    """For the best sold item of each category; the bestsellers are of few categories."""
    catalogue = running.live.current.catalogue

    def category(item: str) -> int:
        return int(catalogue.category[catalogue.dense([item])[0]])

    bestsellers = await best_sold(running, catalogue.size)
    anchors = list({category(item): item for item in reversed(bestsellers)}.values())
    related, by_sales = 0, 0
    pages = set()
    for anchor in anchors:
        answer = await page(running, anchor)
        assert not answer.degraded
        assert answer.model_name == ""
        shown = ids(answer)
        assert len(shown) == 10
        assert anchor not in shown
        pages.add(frozenset(shown))
        related += sum(category(item) == category(anchor) for item in shown)
        by_sales += sum(category(item) == category(anchor) for item in bestsellers[:10])
    assert len(anchors) > 5
    assert len(pages) > 0.8 * len(anchors)
    assert related > 2 * by_sales


async def test_each_kind_has_a_scene_of_its_own(running: RunningService) -> None:
    """The part in the item's category, over the best sold items."""
    catalogue = running.live.current.catalogue
    same: dict[str, list[bool]] = {"substitutes": [], "complements": []}
    for anchor in await best_sold(running, 20):
        category = catalogue.category[catalogue.dense([anchor])[0]]
        for kind in (SIMILAR, COMPLEMENTARY):
            answer = await page(running, anchor, kind=kind)
            assert not answer.degraded
            assert len(ids(answer)) == 5
            assert anchor not in ids(answer)
            same[answer.scene] += (catalogue.category[catalogue.dense(ids(answer))] == category).tolist()
    assert np.mean(same["substitutes"]) > 0.8
    assert np.mean(same["complements"]) < 0.05


@pytest.mark.parametrize("kind", [SIMILAR, COMPLEMENTARY])
async def test_an_unknown_item_of_either_kind_is_answered_in_full(running: RunningService, kind: int) -> None:
    answer = await page(running, "nobody-sells-this", kind=kind)
    assert list(answer.degraded) == ["anchor_unknown"]
    assert len(ids(answer)) == 5


async def test_an_unknown_item_is_answered_in_full_and_named(running: RunningService) -> None:
    answer = await page(running, "nobody-sells-this")
    assert list(answer.degraded) == ["anchor_unknown"]
    assert len(ids(answer)) == 10
    assert set(ids(answer)) & set(await best_sold(running, 30))


async def test_a_sold_out_item_is_still_what_the_page_is_about(running: RunningService) -> None:
    catalogue = running.live.current.catalogue
    gone = np.flatnonzero(~catalogue.in_stock[1:]) + 1
    sold_out = gone[np.argmax(np.asarray(catalogue.popularity)[gone])]
    (item_id,) = catalogue.item_ids(np.array([sold_out], np.int32))
    answer = await page(running, item_id)
    assert not answer.degraded
    assert len(ids(answer)) == 10
    assert item_id not in ids(answer)
    assert catalogue.in_stock[catalogue.dense(ids(answer))].all()
    assert {reason.trigger_item_id for item in answer.items for reason in item.reasons} >= {item_id}


async def test_the_item_among_the_excluded_changes_nothing(running: RunningService) -> None:
    (item_id,) = await best_sold(running, 1)
    plain = await page(running, item_id)
    assert ids(await page(running, item_id, excluded_item_ids=[item_id])) == ids(plain)
    first = ids(plain)[0]
    assert first not in ids(await page(running, item_id, excluded_item_ids=[first]))
