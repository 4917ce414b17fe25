"""What a router records under real calls is what a load test replays, whichever way the calls came in."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest

from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions
from loadtest.recording import RecordedRequest, read_recording
from loadtest.run import run
from protos.shopfront.v1.event_pb2 import EVENT_TYPE_VIEW, Event, ReportEventsRequest
from protos.shopfront.v1.recommend_pb2 import RecommendPageRequest, RecommendRequest, SimilarItemsRequest
from server.rpc.methods import method_table
from server.settings import RouterSettings
from testing.running_router import Ingress, in_process
from testing.served_shop import ServedShop, make_shop

NO_TRITON = "127.0.0.1:1"
EVERY_METHOD = ["Recommend", "RecommendPage", "SimilarItems", "ReportEvents"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    return make_shop(tmp_path_factory.mktemp("recorded"))


def recording(shop: ServedShop, folder: Path, **sections: Any) -> RouterSettings:
    chosen = {"enabled": True, "folder": str(folder), "share": 1.0} | sections.pop("recording", {})
    return shop.settings(NO_TRITON, recording=chosen, **sections)


def ask(ingress: Ingress, users: list[str]) -> None:
    """Every method for every shopper, a call that is refused, and bytes that are no message."""
    for user in users:
        ingress.recommend.Recommend(RecommendRequest(scene="home", user_id=user, page_size=3), timeout=20)
        page = RecommendPageRequest(user_id=user)
        page.scenes.add(scene="home", page_size=3)
        ingress.recommend.RecommendPage(page, timeout=20)
        ingress.recommend.SimilarItems(SimilarItemsRequest(item_id="i1", user_id=user), timeout=20)
        event = Event(user_id=user, item_id="i1", type=EVENT_TYPE_VIEW, query="shoes")
        ingress.events.ReportEvents(ReportEventsRequest(events=[event]), timeout=20)
    with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
        ingress.recommend.Recommend(RecommendRequest(scene="nowhere"), timeout=20)
    raw = ingress.channel.unary_unary(method_table()["Recommend"].path)
    with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
        raw(b"\xff\xff\xff", timeout=20)


def replay(path: Path, address: str, **options: Any) -> dict[int, int]:
    """How many replayed requests ended with which gRPC status."""
    chosen = LoadOptions(host=address, insecure=True, replay=str(path), **options)
    return run(chosen, on_signals=False).status_counts


def asked(requests: list[RecordedRequest]) -> list[tuple[str, Any]]:
    return [(request.call, request.data) for request in requests]


OUTCOMES = {0: 8, 3: 1}


@pytest.mark.slow
def test_a_replay_asks_what_was_asked(shop: ServedShop, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    kept = {"methods": EVERY_METHOD, "keep_user_ids": True}
    with in_process(recording(shop, first, recording=kept)) as ingress:
        ask(ingress, ["ann", "bob"])
        assert ingress.running is not None
        metrics = ingress.running.metrics.registry
    assert metrics.get_sample_value("shopfront_recorded_requests_total", {"outcome": "written"}) == 9
    recorded = read_recording(str(first))
    assert [request.call.rpartition("/")[2] for request in recorded] == [*EVERY_METHOD * 2, "Recommend"]
    with in_process(recording(shop, second, recording=kept)) as ingress:
        # One at a time, so that the order in which they arrive is theirs.
        assert replay(first, ingress.address, replay_speed=0, concurrency=1, total=9) == OUTCOMES
    assert asked(read_recording(str(second))) == asked(recorded)


@pytest.mark.slow
def test_shoppers_stay_apart_and_unknown(shop: ServedShop, tmp_path: Path) -> None:
    settings = recording(shop, tmp_path, recording={"methods": EVERY_METHOD})
    with in_process(settings) as ingress:
        ask(ingress, ["ann@example.com", "bob@example.com"])
        while len(read_or_none(tmp_path)) < 9:
            time.sleep(0.01)
        assert replay(tmp_path, ingress.address) == OUTCOMES, "a file is read while it is written"
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert not any(word in text for word in ("ann", "bob", "example.com", "shoes"))
    users = Counter(
        (request.data or {}).get("user_id") or (request.data or {}).get("events", [{}])[0].get("user_id")
        for request in read_recording(str(tmp_path))[:9]
    )
    assert sorted(users.values()) == [1, 4, 4], "one pseudonym for a shopper, none for the anonymous"


def read_or_none(folder: Path) -> list[RecordedRequest]:
    try:
        return read_recording(str(folder))
    except LoadTestError:
        return []


WRITER = """
import random, sys
from pathlib import Path
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from server.recording.recording_folder import RecordingFolder
from server.recording.request_recorder import RequestRecorder
from server.recording.settings import RecordingSettings

settings = RecordingSettings(folder=Path(sys.argv[1]), share=1.0, salt="s", file_bytes=20_000)
folder = RecordingFolder(settings, str.upper)
recorder = RequestRecorder(settings, folder, lambda outcome: None, random.Random(1))
for at in range(10**9):
    recorder.offer("Recommend", "shopfront.v1.RecommendService/Recommend", RecommendRequest(page_size=at + 1))
"""


@pytest.mark.slow
def test_what_a_killed_replica_wrote_can_be_read(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    try:
        while len(read_or_none(tmp_path)) < 500 and process.poll() is None:
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait(10)
    sizes = [(request.data or {})["page_size"] for request in read_recording(str(tmp_path))]
    assert len(sizes) >= 500
    assert sizes == sorted(set(sizes)), "each once, in order; others were dropped while the disk was behind"
