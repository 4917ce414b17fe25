"""Server reflection (grpc.reflection.v1 and v1alpha): the server describes its services."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from loadtest.call import Call, framed_message
from loadtest.channel import Channel
from loadtest.errors import LoadTestError
from loadtest.request_headers import metadata_headers, request_headers
from loadtest.status import Status

# The two versions differ in their package's name alone; their messages are the same on the wire.
_VERSIONS = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


async def reflected_files(
    channel: Channel, authority: str, scheme: str, symbol: str, metadata: Mapping[str, str]
) -> bytes:
    """A serialised FileDescriptorSet with the file of `symbol` and everything it imports.

    Raises LoadTestError where the server has no reflection or does not know the symbol.
    """
    refused = ""
    for version in _VERSIONS:
        status, message, found = await _files(channel, authority, scheme, version, symbol, metadata)
        if status is Status.OK:
            serialised: bytes = descriptor_pb2.FileDescriptorSet(file=found.values()).SerializeToString()
            return serialised
        refused = f"{status.go_name}: {message}"
        if status is not Status.UNIMPLEMENTED:
            break
    raise LoadTestError(
        f"reflection of {symbol!r} fails ({refused}); where there is no reflection give --proto or --protoset"
    )


async def _files(
    channel: Channel, authority: str, scheme: str, version: str, symbol: str, metadata: Mapping[str, str]
) -> tuple[Status, str, dict[str, descriptor_pb2.FileDescriptorProto]]:
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    wanted = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)]
    while wanted:
        status, message, answers = await _ask(channel, authority, scheme, version, wanted, metadata)
        if status is not Status.OK:
            return status, message, {}
        for answer in answers:
            if answer.HasField("error_response"):
                code = Status.of(str(answer.error_response.error_code))
                return code, answer.error_response.error_message, {}
            for serialised in answer.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(serialised)
                found[file.name] = file
        missing = {name for file in found.values() for name in file.dependency} - found.keys()
        wanted = [reflection_pb2.ServerReflectionRequest(file_by_filename=name) for name in sorted(missing)]
    return Status.OK, "", found


async def _ask(
    channel: Channel,
    authority: str,
    scheme: str,
    version: str,
    requests: list[reflection_pb2.ServerReflectionRequest],
    metadata: Mapping[str, str],
) -> tuple[Status, str, list[reflection_pb2.ServerReflectionResponse]]:
    done: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
    answers: list[reflection_pb2.ServerReflectionResponse] = []
    call = Call(0, done.set_result, server_streaming=True)
    call.received = lambda received: answers.append(
        reflection_pb2.ServerReflectionResponse.FromString(received.answer)
    )
    path = f"/{version}.ServerReflection/ServerReflectionInfo"
    headers = request_headers(path, authority, scheme) + metadata_headers(metadata)
    channel.start(call, headers, b"".join(framed_message(r.SerializeToString()) for r in requests), True)
    try:
        await asyncio.wait_for(done, 10)
    except TimeoutError:
        return Status.DEADLINE_EXCEEDED, "no answer within 10 s", []
    assert call.status is not None
    return call.status, call.message, answers
