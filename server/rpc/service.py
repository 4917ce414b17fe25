"""What declares an RPC service: its descriptor, the object that answers it, and what its calls cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from google.protobuf.descriptor import ServiceDescriptor

if TYPE_CHECKING:
    from server.running_service import RunningService

Cost = Literal["interactive", "bulk", "control"]
"""How a call is accounted for under load.

`interactive`: counts in admission (`admission.max_concurrent`), and its time on the event loop is part of
what admission expects a call to cost. `bulk`: slow or large work, whose time would distort that expectation;
bounded by `MethodOptions.concurrent` instead. `control`: rare calls of operators, never refused for load.
"""


@dataclass(frozen=True, slots=True)
class MethodOptions:
    """Limits and accounting of one method."""

    cost: Cost = "interactive"
    request_bytes: int | None = None
    """Largest request message in bytes, unpacked; None: `ingress.limits.request_bytes`."""
    repeated: Mapping[str, int] = field(default_factory=dict)
    """Most entries of a repeated field in a whole request, by its path from the request, for example
    `scenes` or `page.tags`; of fields not named here 1,000. Requests with more are refused before they are
    read."""
    concurrent: int = 4
    """Calls in progress at once per replica, for cost `bulk`; further ones are refused RESOURCE_EXHAUSTED."""
    operators: bool = False
    """Whether only operators may call it, where the router names operators' tokens."""
    sender_id: bool = False
    """Whether `Call.sent_as` is read from the call's metadata, for methods that must recognise a call that a
    proxy has sent again."""


@dataclass(frozen=True, slots=True)
class Service:
    """One RPC service of the router; every method takes one message and returns one.

    Example:
        >>> SERVICES = {"search": Service(search_pb2.DESCRIPTOR.services_by_name["SearchService"], Search)}
    """

    descriptor: ServiceDescriptor
    """Of the generated module, whose import registers it: `x_pb2.DESCRIPTOR.services_by_name["XService"]`."""
    handler: Callable[[RunningService], object]
    """Builds the object that answers, once per replica, mostly its class. It has for each method of the
    service `async def <Method>(self, request, call: router.service.call.Call) -> response`, and raises the
    exceptions of `router.errors` for failures that have an owner; any other exception is answered INTERNAL.
    """
    options: MethodOptions = MethodOptions()
    """Of methods that `methods` does not name."""
    methods: Mapping[str, MethodOptions] = field(default_factory=dict)
    """Options of single methods by bare name."""

    def options_of(self, method: str) -> MethodOptions:
        """The options of a method given by its bare name."""
        return self.methods.get(method, self.options)
