"""Clients that request pages for shopper after shopper, and an operator's calls, all over gRPC."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from protos.shopfront.v1 import rollout_pb2
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from protos.shopfront.v1.rollout_pb2_grpc import RolloutServiceStub
from testing.repeating_clients import RETRYING

SHOPPERS = 400


@dataclass(frozen=True)
class Answer:
    """One answer as its client received it; `at` in monotonic seconds."""

    at: float
    user: str
    version: str
    arms: dict[str, str]
    degraded: tuple[str, ...]
    items: int


@dataclass
class Traffic:
    """The answers and errors that the clients received so far."""

    answers: list[Answer] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def since(self, began: float) -> list[Answer]:
        """Answers from monotonic second `began` on."""
        return [answer for answer in list(self.answers) if answer.at >= began]

    def touched(self, began: float, version: int) -> set[str]:
        """Shoppers who received an answer of `version` since `began`."""
        return {answer.user for answer in self.since(began) if answer.version == str(version)}


@contextmanager
def shoppers(address: str, clients: int = 3, pause_s: float = 0.0) -> Iterator[Traffic]:
    """`clients` threads that request pages until the block ends, and retry UNAVAILABLE."""
    seen, stop = Traffic(), threading.Event()

    def ask(client: int) -> None:
        options = [("grpc.service_config", RETRYING), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            stub = RecommendServiceStub(channel)
            at = client
            while not stop.is_set():
                at += clients
                user = f"shopper-{at % SHOPPERS:04d}"
                try:
                    answer = stub.Recommend(RecommendRequest(scene="cart", user_id=user), timeout=20)
                except grpc.RpcError as error:
                    seen.errors.append(f"{error.code().name}: {error.details()}")
                    time.sleep(0.1)
                    continue
                seen.answers.append(
                    Answer(
                        time.monotonic(),
                        user,
                        answer.model_version,
                        dict(answer.arms),
                        tuple(answer.degraded),
                        len(answer.items),
                    )
                )
                if pause_s:
                    time.sleep(pause_s)

    threads = [threading.Thread(target=ask, args=(client,), daemon=True) for client in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def stage(weight_bp: int, min_duration_s: float, min_samples: int) -> rollout_pb2.RolloutStage:
    """A stage to start with."""
    return rollout_pb2.RolloutStage(
        weight_bp=weight_bp, min_duration_s=min_duration_s, min_samples=min_samples
    )


@dataclass(frozen=True)
class Operator:
    """An operator's calls, each on its own connection like those of the command line."""

    address: str
    name: str = "ann"

    def start(
        self, candidate: int, stages: Sequence[rollout_pb2.RolloutStage], settle_s: float = 0.5
    ) -> rollout_pb2.RolloutStatus:
        """Starts a rollout of the ranking model."""
        request = rollout_pb2.StartRolloutRequest(
            candidate=candidate, stages=stages, settle_s=settle_s, operator=self.name
        )
        with grpc.insecure_channel(self.address) as channel:
            started: rollout_pb2.RolloutStatus = RolloutServiceStub(channel).StartRollout(
                request, timeout=20, wait_for_ready=True
            )
            return started

    def status(self) -> rollout_pb2.RolloutStatus:
        """The current status of the rollout."""
        with grpc.insecure_channel(self.address) as channel:
            status: rollout_pb2.RolloutStatus = RolloutServiceStub(channel).GetRollout(
                rollout_pb2.GetRolloutRequest(), timeout=20, wait_for_ready=True
            )
            return status

    def change(self, method: str, reason: str = "") -> rollout_pb2.RolloutStatus:
        """Calls one of Pause, Resume, Promote, Abort."""
        request = rollout_pb2.ChangeRolloutRequest(operator=self.name, reason=reason)
        with grpc.insecure_channel(self.address) as channel:
            call = getattr(RolloutServiceStub(channel), f"{method}Rollout")
            status: rollout_pb2.RolloutStatus = call(request, timeout=20)
            return status

    def history(self) -> list[rollout_pb2.RolloutEvent]:
        """All events of the rollouts so far."""
        with grpc.insecure_channel(self.address) as channel:
            request = rollout_pb2.GetRolloutHistoryRequest(limit=1_000)
            return list(RolloutServiceStub(channel).GetRolloutHistory(request, timeout=20).events)

    def wait_until(self, *phases: str, timeout_s: float = 90.0) -> rollout_pb2.RolloutStatus:
        """The first status in one of the phases; AssertionError, with the last, where none comes in time."""
        until = time.monotonic() + timeout_s
        while (status := self.status()).phase not in phases:
            assert time.monotonic() < until, f"the rollout is still {status}"
            time.sleep(0.1)
        return status
