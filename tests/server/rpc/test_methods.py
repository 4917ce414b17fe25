"""The table of RPC methods, and what contradicts it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from protos.shopfront.v1 import (
    admin_pb2,
    event_pb2,
    feedback_pb2,
    privacy_pb2,
    recommend_pb2,
    rollout_pb2,
    visual_pb2,
)
from registration.registry import RegistrationError, Registry
from server.rpc.methods import bind_methods, largest_request, method_table, received_bytes, service_names
from server.rpc.registry import SERVICES
from server.rpc.service import MethodOptions, Service
from tests.server.plugin_service import greeting_pb2
from tests.server.plugin_service.plugin import GreetingHandler

GREETING = greeting_pb2.DESCRIPTOR.services_by_name["GreetingService"]


class Greeter:
    """Has a method for every test service."""

    def __init__(self, running: object) -> None:
        pass

    async def answer(self, request: Any, call: Any) -> greeting_pb2.Greeting:
        return greeting_pb2.Greeting()

    Greet = MeasurePicture = Recommend = GreetAll = check_health = Check = answer


def with_plugin(service: Service) -> Registry[Service]:
    registry = Registry("RPC service", "SERVICES", dict(SERVICES), kind=Service)
    registry.add("extra", service, "my_shop.parts")
    return registry


def test_the_table_holds_every_method_of_the_contracts() -> None:
    table = method_table()
    contracts = [
        descriptor
        for module in (
            recommend_pb2,
            event_pb2,
            feedback_pb2,
            rollout_pb2,
            admin_pb2,
            privacy_pb2,
            visual_pb2,
        )
        for service in module.DESCRIPTOR.services_by_name.values()
        for descriptor in service.methods
    ]
    assert len(contracts) == len(table)
    for descriptor in contracts:
        method = table[descriptor.name]
        assert method.path == f"/{descriptor.containing_service.full_name}/{descriptor.name}"
        assert method.request.DESCRIPTOR is descriptor.input_type
        assert method.response.DESCRIPTOR is descriptor.output_type


def test_costs_of_the_built_in_methods() -> None:
    costs = {name: method.options.cost for name, method in method_table().items()}
    interactive = {"Recommend", "RecommendPage", "SimilarItems", "ReportEvents", "SendFeedback", "ShouldAsk"}
    assert {name for name, cost in costs.items() if cost == "interactive"} == interactive
    looking = {method.name for method in admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods}
    looking |= {method.name for method in visual_pb2.DESCRIPTOR.services_by_name["VisualService"].methods}
    bulk = looking | {"ExportShopper", "DeleteShopper"}
    assert {name for name, cost in costs.items() if cost == "bulk"} == bulk
    assert {cost for name, cost in costs.items() if name not in interactive | bulk} == {"control"}


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (
            "OtherService",
            ["shopfront.v1.RecommendService/Recommend", "tests.greeting.OtherService/Recommend"],
        ),
        ("HealthLikeService", ["grpc.health.v1.Health/Check", "tests.greeting.HealthLikeService/Check"]),
        ("StreamingService", ["tests.greeting.StreamingService/GreetAll", "streams"]),
        ("LowerCaseService", ["tests.greeting.LowerCaseService/check_health", "capital letter"]),
    ],
)
def test_a_service_that_cannot_be_dispatched_is_refused_by_full_names(service: str, words: list[str]) -> None:
    registry = with_plugin(Service(greeting_pb2.DESCRIPTOR.services_by_name[service], Greeter))
    with pytest.raises(RegistrationError) as refused:
        method_table(registry)
    for word in (*words, "my_shop.parts"):
        assert word in str(refused.value)


class Incomplete:
    """Lacks a method, and has one that is not asynchronous."""

    def __init__(self, running: object) -> None:
        pass

    def Greet(self, request: object, call: object) -> None:
        """Not a coroutine."""


def test_a_handler_class_that_lacks_a_method_is_refused_before_anything_is_built() -> None:
    with pytest.raises(RegistrationError, match=r"Incomplete of my_shop\.parts .*: Greet, MeasurePicture"):
        method_table(with_plugin(Service(GREETING, Incomplete)))


def test_a_handler_that_a_function_builds_is_refused_when_it_is_built() -> None:
    running: Any = SimpleNamespace(
        service=None, feedback=None, photo_search=None, rollouts=SimpleNamespace(operations=None)
    )
    registry = with_plugin(Service(GREETING, lambda running: Incomplete(running)))
    assert "Greet" in method_table(registry)
    with pytest.raises(RegistrationError, match=r"lacks methods of tests\.greeting\.GreetingService"):
        bind_methods(running, registry)
    bound = bind_methods(running, with_plugin(Service(GREETING, GreetingHandler)))
    assert set(bound) == set(method_table()) | {"Greet", "MeasurePicture"}


def test_options_of_a_method_that_does_not_exist_are_refused() -> None:
    service = Service(GREETING, GreetingHandler, methods={"Great": MethodOptions()})
    with pytest.raises(RegistrationError, match="does not have: Great; it has Greet, MeasurePicture"):
        method_table(with_plugin(service))


def test_something_else_than_a_service_is_refused() -> None:
    wrong: Any = GreetingHandler
    with pytest.raises(RegistrationError, match=r"must be a server\.rpc\.service\.Service"):
        method_table(with_plugin(wrong))


def test_the_largest_request_is_that_of_the_method_that_takes_most() -> None:
    options = {"MeasurePicture": MethodOptions(request_bytes=3 * 2**20)}
    registry = with_plugin(Service(GREETING, GreetingHandler, methods=options))
    assert largest_request(1_024) == method_table()["ReportEvents"].options.request_bytes == 2 * 2**20
    assert largest_request(1_024, registry) == 3 * 2**20
    assert largest_request(4 * 2**20, registry) == 4 * 2**20
    assert received_bytes(4 * 2**20, registry) == 16 * 2**20
    assert "tests.greeting.GreetingService" in service_names(registry)
