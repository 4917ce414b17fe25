"""The gRPC services of the router, as functions that add them to a server: ours or Ray Serve's."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.shopfront.v1 import (
    event_pb2,
    event_pb2_grpc,
    recommend_pb2,
    recommend_pb2_grpc,
    rollout_pb2,
    rollout_pb2_grpc,
)
from server.ingress.malformed import TolerantRegistrar

RECOMMEND_SERVICE: str = recommend_pb2.DESCRIPTOR.services_by_name["RecommendService"].full_name
EVENT_SERVICE: str = event_pb2.DESCRIPTOR.services_by_name["EventService"].full_name
ROLLOUT_SERVICE: str = rollout_pb2.DESCRIPTOR.services_by_name["RolloutService"].full_name
HEALTH_SERVICE: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

RECOMMEND_REQUESTS: dict[str, type[Message]] = {
    "Recommend": recommend_pb2.RecommendRequest,
    "RecommendPage": recommend_pb2.RecommendPageRequest,
    "SimilarItems": recommend_pb2.SimilarItemsRequest,
}
EVENT_REQUESTS: dict[str, type[Message]] = {"ReportEvents": event_pb2.ReportEventsRequest}
ROLLOUT_REQUESTS: dict[str, type[Message]] = {
    "StartRollout": rollout_pb2.StartRolloutRequest,
    "GetRollout": rollout_pb2.GetRolloutRequest,
    "PauseRollout": rollout_pb2.ChangeRolloutRequest,
    "ResumeRollout": rollout_pb2.ChangeRolloutRequest,
    "PromoteRollout": rollout_pb2.ChangeRolloutRequest,
    "AbortRollout": rollout_pb2.ChangeRolloutRequest,
    "GetRolloutHistory": rollout_pb2.GetRolloutHistoryRequest,
}
HEALTH_REQUESTS: dict[str, type[Message]] = dict.fromkeys(("Check", "Watch"), health_pb2.HealthCheckRequest)


FULL_NAMES: dict[str, str] = {
    method: f"{service}/{method}"
    for service, requests in (
        (RECOMMEND_SERVICE, RECOMMEND_REQUESTS),
        (EVENT_SERVICE, EVENT_REQUESTS),
        (ROLLOUT_SERVICE, ROLLOUT_REQUESTS),
    )
    for method in requests
}
"""Method → package.Service/Method."""


def add_recommend_service(servicer: Any, server: Any) -> None:
    """Adds `shopfront.v1.RecommendService`; unreadable requests reach the servicer as `MalformedRequest`."""
    recommend_pb2_grpc.add_RecommendServiceServicer_to_server(
        servicer, TolerantRegistrar(server, RECOMMEND_REQUESTS)
    )


def add_event_service(servicer: Any, server: Any) -> None:
    """Adds `shopfront.v1.EventService`; unreadable requests reach the servicer as `MalformedRequest`."""
    event_pb2_grpc.add_EventServiceServicer_to_server(servicer, TolerantRegistrar(server, EVENT_REQUESTS))


def add_rollout_service(servicer: Any, server: Any) -> None:
    """Adds `shopfront.v1.RolloutService`; unreadable requests reach the servicer as `MalformedRequest`."""
    rollout_pb2_grpc.add_RolloutServiceServicer_to_server(
        servicer, TolerantRegistrar(server, ROLLOUT_REQUESTS)
    )


def add_health_service(servicer: Any, server: Any) -> None:
    """Adds `grpc.health.v1.Health`; unreadable requests reach the servicer as `MalformedRequest`."""
    health_pb2_grpc.add_HealthServicer_to_server(servicer, TolerantRegistrar(server, HEALTH_REQUESTS))


ADD_FUNCTIONS = (add_recommend_service, add_event_service, add_rollout_service, add_health_service)
