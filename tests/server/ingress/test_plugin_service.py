"""An RPC service that a plug-in registers works like the built-in ones, behind every ingress."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from testing.running_router import Ingress
from tests.server.ingress.test_contract import rich_details
from tests.server.plugin_service import greeting_pb2
from tests.server.plugin_service.plugin import LARGE, SMALL

SERVICE = "tests.greeting.GreetingService"


def method(ingress: Ingress, name: str, response: Any) -> Any:
    """A method of the plug-in's service, as a client calls it."""
    return ingress.channel.unary_unary(
        f"/{SERVICE}/{name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=response.FromString,
    )


def greet(ingress: Ingress, **fields: Any) -> greeting_pb2.Greeting:
    call = method(ingress, "Greet", greeting_pb2.Greeting)
    answer: greeting_pb2.Greeting = call(greeting_pb2.GreetRequest(**fields), timeout=20)
    return answer


def test_it_answers_from_the_running_service(ingress: Ingress) -> None:
    answer = greet(ingress, name="Ann")
    assert (answer.text, answer.known_scenes) == ("Hello Ann", 3)


def test_fields_named_like_the_routers_own_but_of_other_types_do_no_harm(ingress: Ingress) -> None:
    place = greeting_pb2.Place(name="home")
    assert greet(ingress, name="Ann", user_id=[1, 2], scene=place, events=place).text == "Hello Ann"


@pytest.mark.parametrize("name", ["bug", "wrong type"])
def test_its_bugs_are_internal_and_keep_their_text_inside(ingress: Ingress, name: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        greet(ingress, name=name)
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "internal error; request" in failed.value.details()


def test_its_callers_mistakes_have_field_violations(ingress: Ingress) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        greet(ingress)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = rich_details(refused.value, error_details_pb2.BadRequest)
    assert details.field_violations[0].field == "name"


def test_bytes_that_cannot_be_read_are_the_callers_mistake(ingress: Ingress) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        ingress.channel.unary_unary(f"/{SERVICE}/Greet")(b"\x0a\x02\xff\xfe", timeout=20)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "name" in refused.value.details()


def test_each_method_has_its_own_limit_of_bytes(ingress: Ingress) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        greet(ingress, name="x" * SMALL)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"at most {SMALL:,}" in refused.value.details()
    # More than any other method takes.
    measure = method(ingress, "MeasurePicture", greeting_pb2.PictureSize)
    content = bytes(LARGE - 100)
    assert measure(greeting_pb2.Picture(content=content), timeout=20).bytes == len(content)
    with pytest.raises(grpc.RpcError) as large:
        ingress.channel.unary_unary("/shopfront.v1.RecommendService/Recommend")(content, timeout=20)
    assert large.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "at most 524,288" in large.value.details()


def test_bulk_calls_beyond_the_bound_are_told_to_retry_while_others_are_answered(ingress: Ingress) -> None:
    measure = method(ingress, "MeasurePicture", greeting_pb2.PictureSize)
    replicas = 1 if ingress.handle is None else ingress.handle.settings.ingress.replicas
    calls = [measure.future(greeting_pb2.Picture(content=b"slow"), timeout=20) for _ in range(3 * replicas)]
    assert greet(ingress, name="Ann").text == "Hello Ann"
    codes = [call.code() for call in calls]
    assert 1 <= codes.count(grpc.StatusCode.OK) <= replicas
    assert codes.count(grpc.StatusCode.OK) + codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == len(codes)


def test_health_and_reflection_have_it(ingress: Ingress) -> None:
    health = health_pb2_grpc.HealthStub(ingress.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    database = ProtoReflectionDescriptorDatabase(ingress.channel)
    assert SERVICE in database.get_services()
    service = DescriptorPool(database).FindServiceByName(SERVICE)
    assert [each.name for each in service.methods] == ["Greet", "MeasurePicture"]
