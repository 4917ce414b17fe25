"""A router whose Redis of rollouts is down when it starts: it serves what Triton has, and says so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import msgspec
import pytest

from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from rollout.standby import Standby, read_standby
from server.settings import RouterSettings
from testing.faulty_versions import add_version, similar_weights
from testing.quick_rollouts import quick_settings
from testing.redis_server import RedisServer
from testing.rollout_traffic import Operator, shoppers, stage
from testing.running_router import Ingress, in_process
from testing.served_shop import make_shop
from testing.triton_server import tiny_triton
from triton_repo.control import TritonControl
from triton_repo.pinned import Pinned
from triton_repo.repository import ModelRepository


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server that is not started yet."""
    with TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        yield server
        server.stop()


def with_redis(settings: RouterSettings, server: RedisServer) -> RouterSettings:
    """The settings with rollouts in Redis, which is given up soon where it does not answer."""
    redis = settings.state.redis.model_copy(update={"write_tries": 2, "write_timeout_s": 5.0})
    return settings.model_copy(
        update={
            "rollout": settings.rollout.model_copy(update={"url": server.url}),
            "state": settings.state.model_copy(update={"redis": redis}),
        }
    )


def ask(ingress: Ingress, number: int) -> RecommendResponse:
    request = RecommendRequest(scene="cart", user_id=f"shopper-{number:04d}")
    return ingress.recommend.Recommend(request, timeout=20)


def served(ingress: Ingress, shoppers: int = 20) -> set[str]:
    """Versions that answer, none of them degraded."""
    answers = [ask(ingress, number) for number in range(shoppers)]
    assert not {reason for answer in answers for reason in answer.degraded}
    return {answer.model_version for answer in answers}


def wait(until: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not until():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def reaches_store(ingress: Ingress) -> bool:
    """Whether the router can tell of its rollouts."""
    try:
        Operator(ingress.address).status()
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


@pytest.mark.slow
def test_what_triton_has_serves_until_redis_answers_and_then_the_record(
    tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shop = make_shop(tmp_path)
    with tiny_triton(tmp_path) as triton:
        settings = with_redis(quick_settings(shop, triton.grpc_url), redis_server)
        version = add_version(triton.repository, shop.dataset.manifest.id, weights=similar_weights())
        with in_process(settings) as ingress:
            assert served(ingress) == {"1"}
            assert not reaches_store(ingress)
            assert "the record of rollouts cannot be followed" in caplog.text

            redis_server.start()
            wait(lambda: reaches_store(ingress))
            wait(lambda: "can be followed again" in caplog.text)
            operator = Operator(ingress.address)
            with shoppers(ingress.address, clients=1):
                operator.start(version, [stage(5_000, 60.0, 10)])
                operator.wait_until("running")
                operator.change("Promote")
                operator.wait_until("promoted")
            with TritonControl(triton.grpc_url) as control:
                # The snapshot goes on naming version 1, which is gone from Triton.
                wait(lambda: control.ready_versions("bst") == [version])
            redis_server.stop()
            assert served(ingress) == {str(version)}

        caplog.clear()
        with in_process(settings) as ingress:
            assert served(ingress) == {str(version)}, "a version that was replaced is asked for"
            assert "the versions that Triton has are served" in caplog.text
            redis_server.start()
            wait(lambda: reaches_store(ingress))
            status = Operator(ingress.address).status()
            assert (status.phase, status.stable_version) == ("promoted", version)
            assert served(ingress) == {str(version)}


@pytest.mark.parametrize(
    ("data_sets", "named", "expected"),
    [
        ({}, 1, 1),
        ({1: "a"}, 1, 1),
        ({1: "a", 2: "a"}, 1, 1),
        ({2: "a"}, 1, 2),
        ({2: "b"}, 1, 1),
        ({2: "a", 3: "b"}, 1, 2),
    ],
    ids=["nothing pinned", "the named one", "both", "promoted", "of other data", "a new snapshot's beside"],
)
def test_the_version_that_stands_in_is_there_and_of_the_same_data(
    data_sets: dict[int, str], named: int, expected: int
) -> None:
    assert Standby(data_sets).stable_version("a", named) == expected


def test_candidates_do_not_stand_in_and_what_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path)
    assert read_standby(repository, "bst") == Standby()
    for _ in range(3):
        add_version(repository, "data-1")
    pins = tmp_path / "pinned" / "bst.json"
    pins.parent.mkdir()
    for pinned, expected in (
        (Pinned((2, 3), (3,), "bst-2-3-aa"), {2: "data-1"}),
        (Pinned((3,)), {3: "data-1"}),
        (Pinned((9,)), {}),
    ):
        pins.write_bytes(msgspec.json.encode(pinned))
        assert dict(read_standby(repository, "bst").data_sets) == expected
    pins.write_text("{")
    assert read_standby(repository, "bst") == Standby()
