"""A router over the pictured shop, its Triton, and a client."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from protos.shopfront.v1 import event_pb2_grpc, visual_pb2, visual_pb2_grpc
from server.ingress.status import DETAILS_KEY
from testing.running_router import Ingress
from testing.served_shop import ServedShop
from tests.vision.picture_shop import PictureShop
from triton_repo.server import TritonServer

PHOTO_SEARCH = """
  photo_search:
    needs: [similar_look]
    channels:
      similar_look: {share: 1.0, timeout_ms: 2000.0}
    backfill: null
    ranking:
      scorers: {look: {}, triton: {}}
      merge:
        within_look: {taste: triton.score, margin: 0.3}
    rerank: {scatter: null}
  match_outfit:
    needs: [outfit]
    channels:
      outfit: {share: 1.0, k: 100, timeout_ms: 2000.0}
    backfill: null
    ranking: {enabled: false}
    rerank:
      scatter:
        rules:
          - {by: category, window: 20, max: 1}
"""
VERSIONS = {"bst": 1, "mind": 1, "picture_encoder": 1}


class Photos:
    """A router over the pictured shop, its Triton, and a client."""

    def __init__(self, shop: PictureShop, served: ServedShop, ingress: Ingress, triton: TritonServer) -> None:
        self.shop, self.served, self.ingress, self.triton = shop, served, ingress, triton
        self.stub = visual_pb2_grpc.VisualServiceStub(ingress.channel)
        self.events = event_pb2_grpc.EventServiceStub(ingress.channel)

    def search(self, **fields: object) -> visual_pb2.SearchByImageResponse:
        request = visual_pb2.SearchByImageRequest(**fields)  # type: ignore[arg-type]
        answer: visual_pb2.SearchByImageResponse = self.stub.SearchByImage(request, timeout=20)
        return answer

    def refusal(self, **fields: object) -> tuple[grpc.StatusCode, dict[str, str]]:
        """Status, and description by field."""
        with pytest.raises(grpc.RpcError) as error:
            self.search(**fields)
        return refused(error.value)

    def picture(self, row: int) -> bytes:
        return (self.shop.data / "images" / f"{row}.jpg").read_bytes()


def refused(error: grpc.RpcError) -> tuple[grpc.StatusCode, dict[str, str]]:
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers[DETAILS_KEY])
    details: Message = error_details_pb2.BadRequest()
    if not status.details[0].Unpack(details):
        return error.code(), {}
    return error.code(), {each.field: each.description for each in details.field_violations}  # type: ignore[attr-defined]


def in_stock(photos: Photos, ids: list[str]) -> list[str]:
    """Those of the items that a page may show."""
    catalogue = photos.shop.dataset.catalogue
    return [
        id
        for id in ids
        if catalogue.in_stock[catalogue.dense([id])[0]] and not catalogue.adult[catalogue.dense([id])[0]]
    ]
