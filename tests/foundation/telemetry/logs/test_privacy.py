"""Whatever shoppers are called and whatever goes wrong, their ids stand in no log and no metric."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from foundation.storage.errors import StorageError
from foundation.telemetry.metrics import serve_metrics
from protos.shopfront.v1.event_pb2 import EVENT_TYPE_VIEW, Event, ReportEventsRequest
from protos.shopfront.v1.recommend_pb2 import RecommendPageRequest, RecommendRequest, SimilarItemsRequest
from server.ingress.replica_log import LOG_NAME, log_to_file
from testing.running_router import Ingress, as_processes, in_process
from testing.served_shop import ServedShop, make_shop

NO_TRITON = "127.0.0.1:1"
# Words no line has by itself, as the ids of a shop's shoppers come: mail addresses, numbers, anything.
MARKERS = st.from_regex(r"zq[a-z0-9]{8}(@[a-z]{3,8}\.example|-[0-9]{4}|\.\+\$\(x\)|/ü)?", fullmatch=True)


@pytest.fixture(scope="module")
def private_shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    return make_shop(tmp_path_factory.mktemp("private"))


@contextmanager
def logged(shop: ServedShop, **request_log: Any) -> Iterator[tuple[Ingress, Path]]:
    """A router in this process that writes everything from DEBUG up, and its log file."""
    folder = shop.folder / "logs"
    chosen = shop.settings(
        NO_TRITON,
        request_log={
            "folder": str(folder),
            "level": "DEBUG",
            "log_answers": True,
            "salt": "s",
            **request_log,
        },
    )
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    (folder / LOG_NAME).unlink(missing_ok=True)
    log_to_file(chosen.request_log)
    try:
        with in_process(chosen) as ingress:
            yield ingress, folder / LOG_NAME
    finally:
        for handler in [handler for handler in root.handlers if handler not in before]:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)


@pytest.fixture(scope="module")
def router(private_shop: ServedShop) -> Iterator[tuple[Ingress, Path]]:
    with logged(private_shop) as running:
        yield running


def ask_everything(ingress: Ingress, user: str) -> list[grpc.StatusCode]:
    """Every method with `user`, rightly and wrongly; the codes of what was refused."""
    page = RecommendPageRequest(user_id=user)
    page.scenes.add(scene="home", page_size=3)
    event = Event(user_id=user, item_id="i1", type=EVENT_TYPE_VIEW, timestamp_ms=int(time.time() * 1_000))
    wrong = Event(user_id=user, item_id=user, type=EVENT_TYPE_VIEW, timestamp_ms=1, attribution_token=user)
    calls: list[tuple[Any, Any]] = [
        (ingress.recommend.Recommend, RecommendRequest(scene="home", user_id=user, page_size=3)),
        (ingress.recommend.Recommend, RecommendRequest(scene=user, user_id=user, page_size=3)),
        (ingress.recommend.Recommend, RecommendRequest(scene="home", user_id=user, page_size=-1)),
        (ingress.recommend.Recommend, RecommendRequest(scene="home", user_id=user * 100)),
        (ingress.recommend.RecommendPage, page),
        (ingress.recommend.SimilarItems, SimilarItemsRequest(user_id=user, item_id="i1", page_size=3)),
        (ingress.events.ReportEvents, ReportEventsRequest(events=[event, wrong])),
    ]
    codes = []
    for method, request in calls:
        try:
            method(request, timeout=30)
        except grpc.RpcError as error:
            codes.append(error.code())
    return codes


def assert_absent(user: str, *texts: str) -> None:
    # JSON escapes what is not ASCII or keeps it, by the writer.
    for form in {user, json.dumps(user)[1:-1]}:
        for text in texts:
            position = text.find(form)
            assert position < 0, text[max(0, position - 200) : position + 200]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=MARKERS)
def test_no_shopper_is_named(router: tuple[Ingress, Path], user: str) -> None:
    ingress, log = router
    codes = ask_everything(ingress, user)
    assert grpc.StatusCode.INVALID_ARGUMENT in codes
    assert grpc.StatusCode.INTERNAL not in codes
    assert ingress.running is not None
    assert_absent(user, log.read_text(), generate_latest(ingress.running.metrics.registry).decode())


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=MARKERS, bug=st.sampled_from([KeyError, StorageError, RuntimeError]))
def test_not_even_by_the_texts_of_exceptions(
    router: tuple[Ingress, Path], user: str, bug: type[Exception]
) -> None:
    ingress, log = router
    running = ingress.running
    assert running is not None

    async def fail(*arguments: Any, **named: Any) -> Any:
        logging.getLogger("some.library").warning("looking for %r of %s", user, (user, 1))
        raise bug(f"nothing is known of {user!r} ({user})")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running._store, "read", fail)
        patch.setattr(running._store, "append", fail)
        patch.setattr(running._store, "append_impressions", fail)
        codes = ask_everything(ingress, user)
    assert {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL} & set(codes)
    text = log.read_text()
    assert "nothing is known of" in text
    assert_absent(user, text)


def test_every_line_is_json_and_names_its_call(router: tuple[Ingress, Path]) -> None:
    ingress, log = router
    user = "zqzqzqzq-7"
    request = RecommendRequest(scene="home", user_id=user, page_size=3)
    answer = ingress.recommend.Recommend(request, timeout=30)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        assert {"time", "level", "logger", "pid", "message"} <= set(line)
        assert line["time"].endswith("+00:00")
    (mine,) = [line for line in lines if line.get("request_id") == answer.request_id and "event" in line]
    assert (mine["event"], mine["method"], mine["logger"]) == ("answered", "Recommend", "shopfront.requests")
    assert mine["degraded"]
    assert mine["elapsed_ms"] > 0
    assert len(mine["user"]) == 16
    assert "trace_id" not in mine


@pytest.mark.parametrize(("mode", "written"), [("clear", "zqclear-1"), ("omitted", "")])
def test_ids_are_written_as_configured(tmp_path: Path, mode: str, written: str) -> None:
    with logged(make_shop(tmp_path), user_ids=mode) as (ingress, log):
        request = RecommendRequest(scene="home", user_id="zqclear-1", page_size=3)
        answer = ingress.recommend.Recommend(request, timeout=30)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    (user,) = {
        line["user"] for line in lines if line.get("request_id") == answer.request_id and "user" in line
    }
    assert user == written
    assert ("zqclear-1" in log.read_text()) is (mode == "clear")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.slow
def test_no_process_of_the_router_names_a_shopper(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Logs of Ray, Ray Serve and HAProxy included, wherever they write them."""
    shop = make_shop(tmp_path)
    metrics = {"enabled": True, "folder": str(tmp_path / "metrics")}
    chosen = shop.settings(
        NO_TRITON,
        ingress={"kind": "haproxy", "address": f"127.0.0.1:{_free_port()}", "replicas": 1},
        request_log={"folder": str(tmp_path / "logs"), "level": "DEBUG", "log_answers": True},
        metrics=metrics,
    )
    user = "zq81hx03ua"
    server = serve_metrics(0, tmp_path / "metrics")
    try:
        with as_processes(chosen) as ingress:
            assert ingress.handle is not None
            ask_everything(ingress, user)
            counted, until = "", time.monotonic() + 30
            # Processes write their counts to the files every half second.
            while "shopfront_requests_total" not in counted and time.monotonic() < until:
                with urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=30) as response:
                    counted = response.read().decode()
                time.sleep(0.1)
            # Ray's session, HAProxy's configuration: what is gone once the router has stopped.
            files = [path for path in ingress.handle._folder.rglob("*") if path.is_file()]
            files += [path for path in (tmp_path / "logs").rglob("*") if path.is_file()]
            texts = [path.read_bytes().decode(errors="replace") for path in files]
    finally:
        server.close()
    assert [path for path in files if path.name == LOG_NAME]
    assert "shopfront_requests_total" in counted
    assert any('"event":"answered"' in text for text in texts)
    assert_absent(user, counted, *texts, *capfd.readouterr())
