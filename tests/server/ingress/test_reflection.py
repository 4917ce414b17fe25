"""Reflection by our own servicer: unreadable requests, tokens, and how many streams may be open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from server.ingress.launcher import start_router
from server.ingress.malformed import tolerant
from server.ingress.reflection import MAX_STREAMS, ReflectionStreams
from server.ingress.status import Refusal
from server.rpc.methods import method_table
from testing.running_router import Ingress
from testing.served_shop import make_shop

LIST = reflection_pb2.ServerReflectionRequest(list_services="")
PATH = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
TOKEN = "0123456789abcdef0123456789abcdef"


async def asked(*requests: Any, forever: bool = False) -> AsyncIterator[Any]:
    """A caller's requests; `forever`: the stream stays open behind them."""
    for request in requests:
        yield request
    if forever:
        await asyncio.Event().wait()


async def test_each_request_is_answered_until_one_cannot_be_read() -> None:
    unreadable = tolerant(reflection_pb2.ServerReflectionRequest, 4_096)(b"\x3a\x7f")
    streams = ReflectionStreams()
    answers = [answer async for answer in streams.answers(asked(LIST, LIST, unreadable, LIST))]
    assert [type(answer) for answer in answers[:2]] == [reflection_pb2.ServerReflectionResponse] * 2
    assert isinstance(answers[2], Refusal)
    assert answers[2].code is grpc.StatusCode.INVALID_ARGUMENT
    assert len(answers) == 3


async def test_more_streams_than_allowed_are_refused_and_an_ended_one_makes_room() -> None:
    streams = ReflectionStreams()
    opened = [streams.answers(asked(LIST, forever=True)) for _ in range(MAX_STREAMS)]
    for stream in opened:
        assert isinstance(await anext(stream), Message)
    refused = await anext(streams.answers(asked(LIST)))
    assert isinstance(refused, Refusal)
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await opened.pop().aclose()
    assert isinstance(await anext(streams.answers(asked(LIST))), Message)
    for stream in opened:
        await stream.aclose()


async def test_an_idle_stream_ends_with_its_process() -> None:
    draining: list[bool] = []
    stream = ReflectionStreams(lambda: bool(draining)).answers(asked(LIST, forever=True))
    assert isinstance(await anext(stream), Message)
    draining.append(True)
    assert await asyncio.wait_for(anext(stream, None), 30) is None


def test_every_ingress_names_the_callers_mistake(ingress: Ingress) -> None:
    call = ingress.channel.stream_stream(PATH)(iter([b"\x3a\x7f"]), timeout=20)
    with pytest.raises(grpc.RpcError) as refused:
        next(call)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "ServerReflectionRequest" in refused.value.details()


@pytest.mark.slow
def test_behind_haproxy_reflection_needs_a_token_where_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    router = start_router(
        make_shop(tmp_path).settings(
            "127.0.0.1:9",
            ingress={
                "kind": "haproxy",
                "address": "127.0.0.1:0",
                "replicas": 1,
                "tokens": {"file": str(tokens)},
            },
        )
    )
    try:
        with grpc.insecure_channel(router.address) as channel:
            look = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
            with pytest.raises(grpc.RpcError) as refused:
                next(look(iter([LIST]), timeout=20))
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            bearing = (("authorization", f"Bearer {TOKEN}"),)
            answer = next(look(iter([LIST]), timeout=20, metadata=bearing))
            named = {service.name for service in answer.list_services_response.service}
            assert {method_table()["Recommend"].service, method_table()["GetRollout"].service} <= named
    finally:
        router.stop()
