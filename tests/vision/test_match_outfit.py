"""Outfits as callers have them, over gRPC."""

from __future__ import annotations

import grpc
import pytest

from protos.shopfront.v1 import visual_pb2
from protos.shopfront.v1.recommend_pb2 import CONTEXT_FIELD_CATEGORY, Context
from tests.vision.photos import Photos, refused

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def match(photos: Photos, **fields: object) -> visual_pb2.MatchOutfitResponse:
    request = visual_pb2.MatchOutfitRequest(**fields)  # type: ignore[arg-type]
    answer: visual_pb2.MatchOutfitResponse = photos.stub.MatchOutfit(request, timeout=20)
    return answer


def test_an_outfit_has_one_item_of_every_other_category(photos: Photos) -> None:
    catalogue = photos.shop.dataset.catalogue
    answered = 0
    for row in range(0, 40, 3):
        answer = match(photos, item_id=f"i{row:04d}")
        own = catalogue.category_names(catalogue.category[catalogue.dense([f"i{row:04d}"])])[0]
        categories = [slot.category for slot in answer.slots]
        assert len(set(categories)) == len(categories) <= 6
        assert own not in categories
        assert [slot.item_id for slot in answer.slots] == [item.item_id for item in answer.page.items]
        assert all(slot.evidence for slot in answer.slots)
        assert all(item.reasons[0].channel == "outfit" for item in answer.page.items)
        assert all(item.reasons[0].trigger_item_id == f"i{row:04d}" for item in answer.page.items)
        answered += bool(categories)
        if len(categories) > 1:
            assert [
                slot.category for slot in match(photos, item_id=f"i{row:04d}", slots=1).slots
            ] == categories[:1]
            shown = answer.slots[0].item_id
            other = match(photos, item_id=f"i{row:04d}", excluded_item_ids=[shown])
            assert shown not in [slot.item_id for slot in other.slots]
            must = Context(category=categories[1], must=[CONTEXT_FIELD_CATEGORY])
            wanted = match(photos, item_id=f"i{row:04d}", context=must)
            assert [slot.category for slot in wanted.slots] == [categories[1]]
    assert answered > 3


def test_what_an_outfit_cannot_be_asked_for(photos: Photos) -> None:
    answer = match(photos, item_id="never heard of")
    assert list(answer.page.degraded) == ["anchor_unknown"]
    assert list(answer.slots) == []
    with pytest.raises(grpc.RpcError) as error:
        match(photos, item_id="i0001", slots=-1)
    assert refused(error.value) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        {"slots": "must not be negative; 0 takes the default"},
    )
    with pytest.raises(grpc.RpcError) as error:
        match(photos)
    assert "item_id" in refused(error.value)[1]
