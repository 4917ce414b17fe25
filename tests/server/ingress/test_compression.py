"""Compressed requests are unpacked within their method's limit, by every ingress."""

from __future__ import annotations

import gzip
import time

import grpc
import psutil
import pytest

from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from server.ingress.compression import UnpackError, unpacked
from server.rpc.methods import method_table
from testing.running_router import Ingress
from tests.server.ingress.test_contract import ids, refused

_BOMB_BYTES = 64 * 2**20
_BOMBS = 10
_LARGE_BYTES = 9 * 2**20
_LARGE = 40


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 1_000])
def test_unpacks_what_fits(content: bytes) -> None:
    assert unpacked(gzip.compress(content, mtime=0), 1_000) == content


def test_what_is_not_gzip_is_left_alone() -> None:
    assert unpacked(b"\x0a\x04home", 3) == b"\x0a\x04home"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gzip.compress(b"x" * 1_001, mtime=0), "more than 1,000 bytes"),
        (gzip.compress(b"x" * 500, mtime=0)[:-4], "one whole"),
        (gzip.compress(b"x", mtime=0) + gzip.compress(b"x", mtime=0), "one whole"),
        (gzip.compress(b"x", mtime=0) + b"more", "one whole"),
        (b"\x1f\x8b" + bytes(20), "not well-formed"),
        (gzip.compress(b"x" * 500, mtime=0)[:-8] + bytes(8), "not well-formed"),
    ],
)
def test_refuses_what_does_not(data: bytes, why: str) -> None:
    with pytest.raises(UnpackError, match=why):
        unpacked(data, 1_000)


def _resident_mib(ingress: Ingress) -> float:
    pids = [psutil.Process().pid] if ingress.handle is None else ingress.handle.replica_pids()
    return float(sum(psutil.Process(pid).memory_info().rss for pid in pids)) / 2**20


def test_requests_in_gzip_are_answered(ingress: Ingress) -> None:
    request = RecommendRequest(scene="home", user_id="u0001", excluded_item_ids=["i0001"] * 900)
    plain = ingress.recommend.Recommend(request, timeout=10)
    packed = ingress.recommend.Recommend(request, timeout=10, compression=grpc.Compression.Gzip)
    assert ids(packed) == ids(plain)
    error = refused(
        lambda data, timeout: ingress.recommend.Recommend(
            data, timeout=timeout, compression=grpc.Compression.Deflate
        ),
        request,
    )
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_bombs_are_refused_and_leave_no_memory_behind(ingress: Ingress) -> None:
    call = ingress.channel.unary_unary(
        method_table()["Recommend"].path, request_serializer=lambda message: message
    )

    def send(data: bytes, timeout: float) -> bytes:
        answer: bytes = call(data, timeout=timeout, compression=grpc.Compression.Gzip)
        return answer

    bomb = bytes(_BOMB_BYTES)
    refused(send, bomb[: 2**20])
    before = _resident_mib(ingress)
    highest = before
    for _ in range(_BOMBS):
        error = refused(send, bomb)
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            # HAProxy was replaced meanwhile, as when a health check is late on a busy machine.
            error = refused(send, bomb)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "unpacked" in error.details()
        highest = max(highest, _resident_mib(ingress))
    _assert_given_back(ingress, before)
    if ingress.handle is not None:
        assert highest < before + _BOMB_BYTES / 2**20


def test_messages_over_the_limit_leave_no_memory_behind(ingress: Ingress) -> None:
    call = ingress.channel.unary_unary(method_table()["Recommend"].path)
    before = _resident_mib(ingress)
    for _ in range(_LARGE):
        assert refused(call, bytes(_LARGE_BYTES)).code() is grpc.StatusCode.INVALID_ARGUMENT
    _assert_given_back(ingress, before)


def _assert_given_back(ingress: Ingress, before_mib: float) -> None:
    """Within a minute the replicas hold at most a tenth more; in this process the client holds its own."""
    if ingress.handle is None:
        return
    for _ in range(60):
        if _resident_mib(ingress) <= 1.1 * before_mib:
            return
        time.sleep(1)
    assert _resident_mib(ingress) <= 1.1 * before_mib
