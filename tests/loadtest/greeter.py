"""A real gRPC server (grpcio) that greets, waits, fails and pads as each request asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection

from loadtest.descriptors import Method, from_proto, method_of
from loadtest.options import LoadOptions

PROTO = Path(__file__).parent / "greeter.proto"
SERVICE = "greetings.Greeter"


@dataclass
class Seen:
    """What reached the server."""

    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    streams: list[int] = field(default_factory=list)


@dataclass
class Greeter:
    """A running server."""

    address: str
    seen: Seen

    def options(self, **changes: Any) -> LoadOptions:
        """A short plaintext test of Greet."""
        return LoadOptions(
            **{
                "host": self.address,
                "call": f"{SERVICE}/Greet",
                "insecure": True,
                "total": 20,
                "concurrency": 4,
                **changes,
            }
        )


def methods() -> dict[str, Method]:
    files = from_proto(str(PROTO), ())
    return {
        name: method_of(files, f"{SERVICE}/{name}") for name in ("Greet", "GreetMany", "GreetAll", "Chat")
    }


@contextmanager
def greeter(
    credentials: grpc.ServerCredentials | None = None, *, with_reflection: bool = True, workers: int = 32
) -> Iterator[Greeter]:
    """Runs the server on a free port of 127.0.0.1 until the block ends."""
    described = methods()
    seen = Seen()
    answer_kind = described["Greet"].answer

    def note(request: Any, context: grpc.ServicerContext) -> None:
        seen.requests.append(request)
        seen.metadata.append(dict(context.invocation_metadata()))

    def greet(request: Any, context: grpc.ServicerContext) -> Any:
        note(request, context)
        if request.delay_ms:
            time.sleep(request.delay_ms / 1e3)
        if request.fail:
            context.abort(grpc.StatusCode[request.fail], f"{request.name} is not greeted")
        context.set_trailing_metadata((("server-timing", "db;dur=1.5, cache;desc=hit;dur=0.25, miss"),))
        greeting = answer_kind(text=f"hello {request.name}" + "." * request.padding)
        greeting.trace.total_ms = 2.0
        greeting.trace.stages.add(stage="recall", elapsed_ms=1.25)
        return greeting

    def greet_many(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        note(request, context)
        for number in range(request.answers):
            if request.delay_ms:
                time.sleep(request.delay_ms / 1e3)
            yield answer_kind(text=f"{request.name} {number}" + "." * request.padding)

    def greet_all(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        received = list(requests)
        seen.streams.append(len(received))
        seen.requests += received
        return answer_kind(text=" ".join(request.name for request in received))

    def chat(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        count = 0
        for request in requests:
            count += 1
            yield answer_kind(text=request.name)
        seen.streams.append(count)

    def handler(kind: Any, name: str, behaviour: Any) -> grpc.RpcMethodHandler:
        method = described[name]
        return kind(
            behaviour,
            request_deserializer=method.request.FromString,
            response_serializer=method.answer.SerializeToString,
        )

    server = grpc.server(ThreadPoolExecutor(workers), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                SERVICE,
                {
                    "Greet": handler(grpc.unary_unary_rpc_method_handler, "Greet", greet),
                    "GreetMany": handler(grpc.unary_stream_rpc_method_handler, "GreetMany", greet_many),
                    "GreetAll": handler(grpc.stream_unary_rpc_method_handler, "GreetAll", greet_all),
                    "Chat": handler(grpc.stream_stream_rpc_method_handler, "Chat", chat),
                },
            ),
        )
    )
    if with_reflection:
        pool = described["Greet"].request.DESCRIPTOR.file.pool
        reflection.enable_server_reflection((SERVICE,), server, pool=pool)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield Greeter(f"127.0.0.1:{port}", seen)
    finally:
        server.stop(None).wait()
