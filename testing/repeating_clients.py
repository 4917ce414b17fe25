"""Clients that send one request again and again while a test breaks something, and keep every answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub

RETRYING = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "shopfront.v1.RecommendService"}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
"""The retry policy that the manual recommends to callers."""


@dataclass
class Load:
    """Answers and errors so far, in order of their end."""

    answers: list[RecommendResponse] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def wait_for(
        self, seen: Callable[[RecommendResponse], bool], timeout_s: float = 60.0
    ) -> RecommendResponse:
        """The first answer from now on for which `seen` holds; AssertionError where none comes in time."""
        position = len(self.answers)
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            while position < len(self.answers):
                if seen(self.answers[position]):
                    return self.answers[position]
                position += 1
            time.sleep(0.02)
        last = self.answers[-1] if self.answers else None
        raise AssertionError(f"no such answer within {timeout_s} s; errors {self.errors[:3]}, last {last}")

    def settle(
        self, seen: Callable[[RecommendResponse], bool], count: int = 60, timeout_s: float = 60.0
    ) -> None:
        """Returns once `seen` holds for `count` answers in a row: by then it holds on every replica."""
        until, start = time.monotonic() + timeout_s, len(self.answers)
        while len(self.answers) < start + count or not all(map(seen, self.answers[-count:])):
            assert time.monotonic() < until, f"not settled in {timeout_s} s; errors {self.errors[:3]}"
            time.sleep(0.02)


@contextmanager
def load(address: str, request: RecommendRequest, clients: int = 4, retrying: bool = True) -> Iterator[Load]:
    """`clients` threads that send `request` again and again until the block ends.

    retrying: calls that end UNAVAILABLE are sent again, as the manual recommends.
    """
    seen, stop = Load(), threading.Event()

    def ask() -> None:
        # A channel of its own, so that the kernel or HAProxy may send each client to another replica.
        policy = ("grpc.service_config", RETRYING) if retrying else ("grpc.enable_retries", 0)
        options = [policy, ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            stub = RecommendServiceStub(channel)
            while not stop.is_set():
                try:
                    seen.answers.append(stub.Recommend(request, timeout=20))
                except grpc.RpcError as error:
                    seen.errors.append(f"{error.code().name}: {error.details()}")

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
