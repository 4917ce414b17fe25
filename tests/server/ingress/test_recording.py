"""Every replica records what comes in, whichever way it came, and a load test replays it to them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import grpc

from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions
from loadtest.recording import RecordedRequest, read_recording
from loadtest.run import run
from protos.shopfront.v1.event_pb2 import EVENT_TYPE_VIEW, Event, ReportEventsRequest
from protos.shopfront.v1.recommend_pb2 import RecommendPageRequest, RecommendRequest, SimilarItemsRequest
from server.rpc.methods import method_table
from testing.running_router import Ingress
from testing.service_under_test import ServiceUnderTest

USERS = 8
METHODS = ("Recommend", "RecommendPage", "SimilarItems", "ReportEvents")


def ask(ingress: Ingress, user: str, marker: str) -> None:
    """One call of every method; `marker` stands in each, for other tests call the same router."""
    ingress.recommend.Recommend(
        RecommendRequest(scene="home", user_id=user, excluded_item_ids=[marker]), timeout=20
    )
    page = RecommendPageRequest(user_id=user, excluded_item_ids=[marker])
    page.scenes.add(scene="home")
    ingress.recommend.RecommendPage(page, timeout=20)
    similar = SimilarItemsRequest(item_id="i1", user_id=user, excluded_item_ids=[marker])
    ingress.recommend.SimilarItems(similar, timeout=20)
    event = Event(user_id=user, item_id="i1", type=EVENT_TYPE_VIEW, scene=marker)
    ingress.events.ReportEvents(ReportEventsRequest(events=[event]), timeout=20)


def marked(folder: Path, marker: str) -> list[RecordedRequest]:
    try:
        return [request for request in read_recording(str(folder)) if marker in json.dumps(request.data)]
    except LoadTestError:
        return []


def eventually(found: Callable[[], bool]) -> None:
    """Waits, a minute at most: files are written behind the answers."""
    end = time.monotonic() + 60
    while not found() and time.monotonic() < end:
        time.sleep(0.05)
    assert found()


def test_what_replicas_record_is_replayed(service: ServiceUnderTest, tmp_path: Path) -> None:
    folder, marker = service.shop.folder / "recordings", uuid4().hex
    address = service.ingress.address
    for at in range(USERS):
        # A connection of its own may lead to another replica.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            ask(Ingress(service.ingress.kind, address, channel), f"{marker}-u{at}", marker)
    eventually(lambda: len(marked(folder, marker)) == len(METHODS) * USERS)
    recorded = marked(folder, marker)
    assert [request.call for request in recorded] == [
        method_table()[method].full_name for method in METHODS
    ] * USERS
    assert f"{marker}-u" not in "".join(path.read_text() for path in folder.iterdir())
    users = [(request.data or {}).get("user_id") for request in recorded if "Recommend" in request.call]
    assert len(set(users)) == USERS, "a shopper has one pseudonym on every replica, and nobody else has it"
    if service.ingress.handle is None:
        assert {path.name.split("-")[-3] for path in folder.iterdir()} == {str(os.getpid())}
    copy = tmp_path / "recording.jsonl"
    lines = [line for path in folder.iterdir() for line in path.read_text().splitlines() if marker in line]
    copy.write_text("\n".join(lines))
    results = run(LoadOptions(host=address, insecure=True, replay=str(copy), total=0), on_signals=False)
    assert results.status_counts == {0: len(METHODS) * USERS}
    eventually(lambda: len(marked(folder, marker)) == 2 * len(METHODS) * USERS)
