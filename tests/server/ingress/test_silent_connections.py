"""Connections that say nothing, or half of a greeting, are closed and keep nobody out, by every ingress."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import grpc
import pytest

from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from server.ingress_settings import LimitSettings, split_address
from testing.running_router import Ingress

_SILENT = 200
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("greeting", [b"", _PREFACE[:10], _PREFACE], ids=["silent", "half", "no settings"])
def test_they_are_closed_while_others_are_answered(ingress: Ingress, greeting: bytes) -> None:
    with ExitStack() as stack:
        opened = []
        for _ in range(_SILENT):
            connection = stack.enter_context(socket.create_connection(split_address(ingress.address)))
            connection.sendall(greeting)
            opened.append(connection)
        began = time.monotonic()
        channel = stack.enter_context(
            grpc.insecure_channel(ingress.address, [("grpc.use_local_subchannel_pool", 1)])
        )
        answer = RecommendServiceStub(channel).Recommend(RecommendRequest(scene="home"), timeout=10)
        assert answer.items
        deadline = began + LimitSettings().handshake_s + 5
        for connection in opened:
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                # The server's own greeting may come first.
                while connection.recv(4_096):
                    pass
            except ConnectionError:
                pass
        assert time.monotonic() < deadline
        # A connection that has made a call stays.
        states: list[grpc.ChannelConnectivity] = []
        channel.subscribe(states.append)
        time.sleep(0.5)
        assert states[-1] is grpc.ChannelConnectivity.READY
