"""Every method of every registered service, checked for contradictions.

Ray Serve dispatches by bare method name, so no two methods of the router may share one.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from registration.registry import RegistrationError, Registry
from router.service.call import Call
from server.rpc.registry import SERVICES
from server.rpc.service import MethodOptions, Service

if TYPE_CHECKING:
    from server.running_service import RunningService

HEALTH_SERVICE: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
REFLECTION_SERVICE: str = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
_RECEIVED = 4
_INGRESS_METHODS = {
    method.name: f"{service.full_name}/{method.name}"
    for module in (health_pb2, reflection_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Bare name → full name of what every ingress answers itself."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method that takes one message and returns one."""

    name: str
    """Its bare name, as Ray Serve, metrics and logs call it."""
    service: str
    """Full name of its service: package.Service."""
    request: type[Message]
    response: type[Message]
    options: MethodOptions

    @property
    def full_name(self) -> str:
        """package.Service/Method."""
        return f"{self.service}/{self.name}"

    @property
    def path(self) -> str:
        """/package.Service/Method, as gRPC calls it."""
        return f"/{self.full_name}"


@dataclass(frozen=True, slots=True)
class BoundMethod:
    """A method of a running service."""

    method: Method
    answer: Callable[[Any, Call], Awaitable[Message]]


def method_table(services: Registry[Service] = SERVICES) -> dict[str, Method]:
    """Every method by its bare name, in the order of registration.

    Raises:
        RegistrationError: two methods share a bare name, a method cannot be dispatched, a service gives
            options for a method that it does not have, or its handler is a class that lacks a method.
    """
    table: dict[str, Method] = {}
    for name, service in services.items():
        source = services.source(name)
        _check_service(name, service, source)
        for descriptor in service.descriptor.methods:
            _check_name(descriptor, service, table, source)
            table[descriptor.name] = Method(
                descriptor.name,
                service.descriptor.full_name,
                GetMessageClass(descriptor.input_type),
                GetMessageClass(descriptor.output_type),
                service.options_of(descriptor.name),
            )
    return table


def service_names(services: Mapping[str, Service] = SERVICES) -> tuple[str, ...]:
    """Full names of the registered services, and of the health service that every ingress adds."""
    return (*(service.descriptor.full_name for service in services.values()), HEALTH_SERVICE)


def largest_request(request_bytes: int, services: Registry[Service] = SERVICES) -> int:
    """Bytes of the largest request that any method takes, where most take `request_bytes`."""
    limits = (method.options.request_bytes for method in method_table(services).values())
    return max(request_bytes, *(limit or 0 for limit in limits))


def received_bytes(request_bytes: int, services: Registry[Service] = SERVICES) -> int:
    """Bytes of the largest message that gRPC itself receives, of methods that mostly take `request_bytes`.

    gRPC answers RESOURCE_EXHAUSTED above its limit, which callers retry. So it receives four times the
    largest request, and what is too large up to there is refused as INVALID_ARGUMENT.
    """
    return _RECEIVED * largest_request(request_bytes, services)


def bind_methods(running: RunningService, services: Registry[Service] = SERVICES) -> dict[str, BoundMethod]:
    """Builds every service's handler; returns its methods by bare name.

    Raises:
        RegistrationError: a handler lacks a method of its service, or as `method_table`.
    """
    table = method_table(services)
    bound: dict[str, BoundMethod] = {}
    for name, service in services.items():
        handler = service.handler(running)
        _check_handler(handler, service, services.source(name))
        for descriptor in service.descriptor.methods:
            bound[descriptor.name] = BoundMethod(table[descriptor.name], getattr(handler, descriptor.name))
    return bound


def _check_service(name: str, service: Service, source: str) -> None:
    unknown = sorted(set(service.methods) - set(service.descriptor.methods_by_name))
    if unknown:
        raise RegistrationError(
            f"{source} gives options for methods that {service.descriptor.full_name} does not have: "
            f"{', '.join(unknown)}; it has {', '.join(service.descriptor.methods_by_name)}"
        )
    if isinstance(service.handler, type):
        _check_handler(service.handler, service, source)


def _check_handler(handler: object, service: Service, source: str) -> None:
    lacking = [
        descriptor.name
        for descriptor in service.descriptor.methods
        if not inspect.iscoroutinefunction(getattr(handler, descriptor.name, None))
    ]
    if lacking:
        kind = handler if isinstance(handler, type) else type(handler)
        raise RegistrationError(
            f"the handler {kind.__name__} of {source} lacks methods of {service.descriptor.full_name}: "
            f"{', '.join(lacking)}; define each as `async def <name>(self, request, call)`"
        )


def _check_name(
    descriptor: MethodDescriptor, service: Service, table: Mapping[str, Method], source: str
) -> None:
    name, full_name = descriptor.name, f"{service.descriptor.full_name}/{descriptor.name}"
    other = table[name].full_name if name in table else _INGRESS_METHODS.get(name)
    if other is not None:
        raise RegistrationError(
            f"two RPC methods are named {name}: {other} and {full_name} of {source}; calls are dispatched by "
            f"the bare name, so rename the one of {source}"
        )
    if not name[0].isupper():
        raise RegistrationError(
            f"the RPC method {full_name} of {source} must begin with a capital letter: methods in lower case "
            "are called by Ray Serve itself"
        )
    if descriptor.client_streaming or descriptor.server_streaming:
        raise RegistrationError(
            f"the RPC method {full_name} of {source} streams; methods take one message and return one"
        )
