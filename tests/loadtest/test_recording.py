"""Recordings: what may be written, and that a replay sends what was recorded when it was recorded."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from loadtest.errors import LoadTestError
from loadtest.recording import RecordingWriter, read_recording
from loadtest.run import run
from tests.loadtest.greeter import Greeter, methods


def write(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("speed", "factor"), [(1.0, 1.0), (2.0, 0.5)])
def test_a_replay_sends_each_request_at_its_time_to_its_method(
    server: Greeter, tmp_path: Path, speed: float, factor: float
) -> None:
    serialised = methods()["Greet"].request(name="c").SerializeToString()
    recording = write(
        tmp_path / "r.jsonl",
        {"offset_ms": 100, "data": {"name": "b"}, "metadata": {"shop": "x"}},
        {"offset_ms": 0, "call": "greetings.Greeter/GreetMany", "data": {"name": "a", "answers": 2}},
        {"offset_ms": 250, "binary": base64.b64encode(serialised).decode()},
    )
    results = run(server.options(replay=str(recording), replay_speed=speed), on_signals=False)
    assert results.status_counts == {0: 3}
    assert [request.name for request in server.seen.requests] == ["a", "b", "c"]
    assert server.seen.metadata[1]["shop"] == "x"
    planned = np.sort(results.intended_ns - results.began_ns)
    assert planned.tolist() == [0, int(100e6 * factor), int(250e6 * factor)]
    assert (results.started_ns >= results.intended_ns).all()


@pytest.mark.slow
def test_a_replay_without_its_times_follows_the_rate(server: Greeter, tmp_path: Path) -> None:
    recording = write(
        tmp_path / "r.jsonl", *({"offset_ms": 10_000 * at, "data": {"name": str(at)}} for at in range(3))
    )
    results = run(
        server.options(replay=str(recording), replay_speed=0, total=6, concurrency=1), on_signals=False
    )
    assert results.count == 6
    assert [request.name for request in server.seen.requests] == ["0", "1", "2"] * 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"offset_ms": 1}, "line 1: give either data or binary"),
        ({"offset_ms": 1, "data": {}, "binary": "eA=="}, "give either data or binary"),
        ({"offset_ms": -1, "data": {}}, "offset_ms -1 is negative"),
        ({"offset_ms": 1, "binary": "?"}, "line 1"),
        ({"offset": 1, "data": {}}, "line 1"),
    ],
)
def test_a_line_that_is_no_request_is_named(tmp_path: Path, line: dict[str, object], message: str) -> None:
    with pytest.raises(LoadTestError, match=message):
        read_recording(str(write(tmp_path / "r.jsonl", line)))


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match="holds no request"):
        read_recording(str(write(tmp_path / "r.jsonl")))


def pseudonym(user: str) -> str:
    return f"p{len(user)}"


def test_shoppers_ids_are_replaced_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    writer = RecordingWriter(path, share=1.0, max_bytes=10_000, pseudonym=pseudonym)
    writer.record(
        "a.B/C", {"user_id": "ann", "page": {"user_id": "bob"}, "events": [{"user_id": "eve", "n": 1}]}, 5.0
    )
    writer.record("a.B/C", {"scene": "home"}, 5.25)
    writer.close()
    assert (path.stat().st_mode & 0o777) == 0o600
    assert not any(name in path.read_text() for name in ('"ann"', '"bob"', '"eve"'))
    first, second = read_recording(str(path))
    assert first.data == {"user_id": "p3", "page": {"user_id": "p3"}, "events": [{"user_id": "p3", "n": 1}]}
    assert (first.offset_ms, second.offset_ms) == (0.0, 250.0)


def test_a_recording_stops_at_its_size_and_keeps_its_share(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "small", share=1.0, max_bytes=500, pseudonym=None)
    for at in range(100):
        writer.record("a.B/C", {"user_id": "ann"}, float(at))
    writer.close()
    assert writer.full
    assert (tmp_path / "small").stat().st_size <= 500
    assert read_recording(str(tmp_path / "small"))[0].data == {"user_id": "ann"}
    sampled = RecordingWriter(tmp_path / "sampled", share=0.1, max_bytes=10**6, pseudonym=None, seed=1)
    for at in range(1_000):
        sampled.record("a.B/C", {}, float(at))
    sampled.close()
    assert 60 < sampled.written < 140


def test_a_recording_never_overwrites_another(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("kept")
    with pytest.raises(FileExistsError):
        RecordingWriter(tmp_path / "r", share=1.0, max_bytes=1, pseudonym=None)
    assert (tmp_path / "r").read_text() == "kept"
