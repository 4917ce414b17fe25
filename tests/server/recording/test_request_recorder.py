"""The recorder never blocks a call, never fails one, and counts what it could not keep."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from protos.shopfront.v1.event_pb2 import Event, ReportEventsRequest
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from server.recording.recording_folder import RecordingFolder
from server.recording.request_recorder import RequestRecorder
from server.recording.settings import RecordingSettings
from server.rpc.methods import method_table


class Disk:
    """Stands in for the folder: keeps what is written, waits while it is held, fails where it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None
        self.outcome = "written"
        self.kept: list[Mapping[str, Any]] = []
        self.closed = False

    def write(self, call: str, data: Mapping[str, Any], at_ms: float) -> str:
        self.open.wait(20)
        if self.error is not None:
            raise self.error
        self.kept.append(data)
        return self.outcome

    def close(self) -> None:
        self.closed = True


class Recorded:
    """A recorder over a disk, with what it counted."""

    def __init__(self, disk: Disk, **settings: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.now = [100.0]
        chosen = RecordingSettings.model_validate({"share": 1.0, "salt": "s"} | settings)
        self.recorder = RequestRecorder(
            chosen,
            disk,  # type: ignore[arg-type]
            lambda outcome: self.counts.update([outcome]),
            random.Random(1),
            lambda: self.now[0],
            lambda: 1_795_392_000.0,
        )

    def offer(self, request: Message, method: str = "Recommend") -> None:
        self.recorder.offer(method, method_table()[method].full_name, request)

    def end(self) -> None:
        self.recorder.close(20)


def asked(user_id: str, items: int = 0) -> RecommendRequest:
    return RecommendRequest(scene="home", user_id=user_id, excluded_item_ids=["i" * 100] * items)


def test_a_disk_that_hangs_costs_requests_of_the_recording_and_blocks_nobody() -> None:
    disk = Disk()
    disk.open.clear()
    recorded = Recorded(disk, buffered_requests=5)
    for at in range(50):
        recorded.offer(asked(str(at)))
    # One may be in the writer's hands beside the five that wait.
    assert recorded.counts["dropped"] in (44, 45)
    disk.open.set()
    recorded.end()
    assert recorded.counts["written"] == len(disk.kept) == 50 - recorded.counts["dropped"]
    kept = [int(data["user_id"]) for data in disk.kept]
    # The sixth is whichever came first after the writer took one of the five.
    assert kept[:5] == [0, 1, 2, 3, 4]
    assert kept == sorted(set(kept))
    assert disk.closed


def test_the_buffer_is_bounded_in_bytes_too() -> None:
    disk = Disk()
    disk.open.clear()
    recorded = Recorded(disk, buffered_bytes=4_096)
    for at in range(10):
        recorded.offer(asked(str(at), items=10))
    assert recorded.counts["dropped"] == 7
    disk.open.set()
    recorded.end()
    recorded = Recorded(disk, buffered_bytes=4_096)
    for _ in range(100):
        recorded.offer(asked("x"))
    recorded.end()
    assert recorded.counts["written"] == 100, "what was written no longer counts"


def test_a_failing_disk_is_told_once_and_counted_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "server.recording")
    disk = Disk()
    disk.error = OSError(28, "No space left on device")
    recorded = Recorded(disk)
    for _ in range(5):
        recorded.offer(asked("jane"))
    while recorded.counts.total() < 5:
        time.sleep(0.01)
    assert recorded.counts == {"failed": 5}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "No space left" in caplog.text
    disk.error = None
    recorded.now[0] += 5.0
    recorded.offer(asked("jane"))
    recorded.end()
    assert recorded.counts == {"failed": 5, "written": 1}
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_that_the_folder_is_full_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    disk.outcome = "full"
    recorded = Recorded(disk)
    for _ in range(3):
        recorded.offer(asked("jane"))
    while recorded.counts.total() < 3:
        time.sleep(0.01)
    disk.outcome = "written"
    recorded.offer(asked("jane"))
    recorded.end()
    assert recorded.counts == {"full": 3, "written": 1}
    assert [record.getMessage().split(" is ")[1] for record in caplog.records] == [
        "full at max_bytes, recording stops",
        "no longer full, recording goes on",
    ]


def test_a_bug_while_writing_is_told_without_the_shopper(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    disk.error = KeyError("jane")
    recorded = Recorded(disk)
    recorded.offer(asked("jane"))
    recorded.offer(asked("jane"))
    recorded.end()
    assert recorded.counts == {"failed": 2}
    (record,) = caplog.records
    assert "KeyError" in caplog.text
    assert "jane" not in record.getMessage()


def test_all_or_nothing_of_a_shopper_is_recorded_alike_on_every_replica() -> None:
    def kept(seed_of_draw: int) -> list[str]:
        disk = Disk()
        recorded = Recorded(disk, share=0.2, methods=["Recommend", "ReportEvents"], buffered_requests=10_000)
        recorded.recorder._draw.seed(seed_of_draw)
        for at in range(1_000):
            recorded.offer(asked(f"u{at}"))
            recorded.offer(ReportEventsRequest(events=[Event(user_id=f"u{at}")]), "ReportEvents")
        recorded.end()
        recommended = [data["user_id"] for data in disk.kept if "user_id" in data]
        reported = [data["events"][0]["user_id"] for data in disk.kept if "events" in data]
        assert recommended == reported
        return recommended

    chosen = kept(1)
    assert 150 < len(chosen) < 250
    assert chosen == kept(2)


def test_of_anonymous_requests_a_share_is_recorded() -> None:
    disk = Disk()
    recorded = Recorded(disk, share=0.2, buffered_requests=10_000)
    for _ in range(1_000):
        recorded.offer(asked(""))
    recorded.end()
    assert 150 < len(disk.kept) < 250


def test_only_the_methods_asked_for_are_recorded() -> None:
    disk = Disk()
    recorded = Recorded(disk)
    recorded.offer(ReportEventsRequest(events=[Event(user_id="u")]), "ReportEvents")
    recorded.offer(ReportEventsRequest(), "StartRollout")
    recorded.offer(asked("u"))
    recorded.end()
    assert len(disk.kept) == 1


def test_closing_does_not_wait_for_a_disk_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    disk.open.clear()
    recorded = Recorded(disk)
    recorded.offer(asked("u"))
    recorded.recorder.close(0.05)
    assert "disk is slow" in caplog.text
    disk.open.set()
    recorded.end()
    assert disk.closed


def test_a_folder_that_cannot_be_made_fails_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = RecordingSettings(folder=tmp_path / "file" / "recordings", share=1.0, salt="s")
    counts: Counter[str] = Counter()
    recorder = RequestRecorder(
        settings,
        RecordingFolder(settings, str.upper),
        lambda outcome: counts.update([outcome]),
        random.Random(1),
    )
    recorder.offer("Recommend", method_table()["Recommend"].full_name, asked("u"))
    recorder.close(20)
    assert counts == {"failed": 1}
    assert "Not a directory" in caplog.text
