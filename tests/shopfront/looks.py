"""What a shop whose files name pictures is asked over gRPC: photos, and items that look alike."""

import grpc
import polars as pl
import pytest

from protos.shopfront.v1 import recommend_pb2, recommend_pb2_grpc, visual_pb2, visual_pb2_grpc
from tests.shopfront.run_shop import Shop


def looks_are_served(shop: Shop, channel: grpc.Channel) -> None:
    """A photo finds its item and the picture's twin, and an item's page shows what looks like it."""
    stub = visual_pb2_grpc.VisualServiceStub(channel)
    picture = (shop.data / "images" / "0.jpg").read_bytes()
    found = stub.SearchByImage(visual_pb2.SearchByImageRequest(image=picture, page_size=2), timeout=60)
    assert [item.item_id for item in found.page.items] == ["i0000", "i0001"]
    assert {item.reasons[0].channel for item in found.page.items} == {"similar_look"}
    assert not found.page.degraded
    with pytest.raises(grpc.RpcError) as refused:
        stub.SearchByImage(visual_pb2.SearchByImageRequest(image=b"no picture"), timeout=20)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "unknown_format" in refused.value.details()
    category = dict(pl.read_csv(shop.data / "items.csv").select("item_id", "category").iter_rows())
    request = recommend_pb2.SimilarItemsRequest(item_id="i0000", page_size=50, timeout_ms=5000)
    page = recommend_pb2_grpc.RecommendServiceStub(channel).SimilarItems(request, timeout=20)
    assert not page.degraded
    by_looks = {
        item.item_id for item in page.items for reason in item.reasons if reason.channel == "similar_look"
    }
    assert by_looks
    assert "i0000" not in by_looks
    assert {category[item] for item in by_looks} == {category["i0000"]}
