"""Recordings: what may be written, and that a replay sends what was recorded when it was recorded."""

import base64
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.command import main
from loadtest.errors import LoadTestError
from loadtest.recording import RecordingWriter, read_recording
from loadtest.replaced_values import ReplacedValues
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


@pytest.mark.slow
def test_a_replay_is_of_the_whole_recording_unless_told_otherwise(
    server: Greeter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "r.jsonl", *({"offset_ms": at / 10, "data": {"name": "a"}} for at in range(230)))
    words = ["--insecure", "--call", "greetings.Greeter/Greet", "--replay", str(tmp_path), "-O", "json"]
    for more, count in (([], 230), (["-n", "7"], 7), (["--replay-speed", "0"], 230)):
        assert main([*words, *more, server.address]) == 0
        assert json.loads(capsys.readouterr().out)["count"] == count


@pytest.mark.slow
def test_metadata_of_the_command_goes_with_every_request(server: Greeter, tmp_path: Path) -> None:
    recording = write(
        tmp_path / "r.jsonl",
        {"offset_ms": 0, "data": {"name": "a"}},
        {"offset_ms": 1, "data": {"name": "b"}, "metadata": {"shop": "its own"}},
    )
    given = {"authorization": "Bearer t", "shop": "of the command"}
    run(server.options(replay=str(recording), metadata=given, concurrency=1), on_signals=False)
    seen = [(each["authorization"], each["shop"]) for each in server.seen.metadata]
    assert seen == [("Bearer t", "of the command"), ("Bearer t", "its own")]
    with pytest.raises(LoadTestError, match="templates are not rendered with a recording"):
        run(server.options(replay=str(recording), metadata={"x": "{{newUUID}}"}), on_signals=False)


@pytest.mark.slow
def test_values_of_a_recording_become_those_the_server_knows(server: Greeter, tmp_path: Path) -> None:
    names = ["p1", "p2", "p1", "p3", "p4", "p2"]
    recording = write(
        tmp_path / "r.jsonl", *({"offset_ms": at, "data": {"name": name}} for at, name in enumerate(names))
    )
    (tmp_path / "names.txt").write_text("ann\nbob\n\neve\n")
    options = server.options(
        replay=str(recording), replay_replace={"name": str(tmp_path / "names.txt")}, concurrency=1, total=0
    )
    run(options, on_signals=False)
    assert [request.name for request in server.seen.requests] == ["ann", "bob", "ann", "eve", "ann", "bob"]


def test_values_are_replaced_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("x\ny\n")
    replaced = ReplacedValues({"user_id": str(tmp_path / "ids")})
    message = {"user_id": "a", "page": {"user_id": "b"}, "events": [{"user_id": "a", "n": 1}], "tags": ["a"]}
    assert replaced(message) == {
        "user_id": "x",
        "page": {"user_id": "y"},
        "events": [{"user_id": "x", "n": 1}],
        "tags": ["a"],
    }


@pytest.mark.parametrize(("content", "told"), [("\n", "holds no value"), (None, "cannot be read")])
def test_a_file_without_values_is_named(tmp_path: Path, content: str | None, told: str) -> None:
    path = tmp_path / "ids"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LoadTestError, match=f"ids, for user_id, {told}"):
        ReplacedValues({"user_id": str(path)})


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


def test_a_folder_is_read_as_one_recording(tmp_path: Path) -> None:
    write(
        tmp_path / "a.jsonl", {"offset_ms": 1_000.5, "data": {"n": 1}}, {"offset_ms": 3_000, "data": {"n": 3}}
    )
    write(tmp_path / "b.jsonl", {"offset_ms": 2_000, "data": {"n": 2}})
    (tmp_path / "notes.txt").write_text("no recording")
    assert [request.data for request in read_recording(str(tmp_path))] == [{"n": 1}, {"n": 2}, {"n": 3}]


@given(st.data())
def test_a_recording_torn_anywhere_gives_every_whole_line(data: st.DataObject) -> None:
    lines = [json.dumps({"offset_ms": at, "data": {"name": "é" * at}}).encode() + b"\n" for at in range(4)]
    whole = b"".join(lines)
    cut = data.draw(st.integers(len(lines[0]), len(whole)))
    with TemporaryDirectory() as folder:
        (Path(folder) / "r.jsonl").write_bytes(whole[:cut])
        read = read_recording(folder)
    complete = sum(cut >= len(b"".join(lines[: at + 1])) - 1 for at in range(4))
    assert [request.offset_ms for request in read] == list(range(complete))


def test_a_broken_line_in_the_middle_is_no_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"offset_ms": 0, "da\n{"offset_ms": 1, "data": {}}\n')
    with pytest.raises(LoadTestError, match=r"r.jsonl, line 1"):
        read_recording(str(path))


@pytest.mark.slow
def test_times_of_the_day_are_replayed_to_the_microsecond(server: Greeter, tmp_path: Path) -> None:
    begin = 1_795_392_000_000.125
    recording = write(
        tmp_path / "r.jsonl", *({"offset_ms": begin + at, "data": {"name": "a"}} for at in (0, 1.5, 30.25))
    )
    results = run(server.options(replay=str(recording)), on_signals=False)
    planned = np.sort(results.intended_ns - results.began_ns)
    assert np.abs(planned - [0, 1_500_000, 30_250_000]).max() < 1_000


def pseudonym(user: str) -> str:
    return f"p{len(user)}"


def test_shoppers_ids_are_replaced_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    writer = RecordingWriter(path, max_bytes=10_000, pseudonym=pseudonym, left_out=("query",))
    writer.record(
        "a.B/C",
        {
            "user_id": "ann",
            "page": {"user_id": "bob", "query": "bob's"},
            "events": [{"user_id": "joy", "n": 1}],
            "names": ["x"],
        },
        5.0,
    )
    writer.record("a.B/C", {"scene": "home"}, 255.0)
    writer.close()
    assert (path.stat().st_mode & 0o777) == 0o600
    assert not any(name in path.read_text() for name in ("ann", "bob", "joy"))
    first, second = read_recording(str(path))
    assert first.data == {
        "user_id": "p3",
        "page": {"user_id": "p3"},
        "events": [{"user_id": "p3", "n": 1}],
        "names": ["x"],
    }
    assert (first.offset_ms, second.offset_ms) == (5.0, 255.0)


def test_a_recording_stops_at_its_size(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "small", max_bytes=500, pseudonym=None)
    taken = [writer.record("a.B/C", {"user_id": "ann"}, float(at)) for at in range(100)]
    assert sum(taken) == writer.written == len(read_recording(str(tmp_path / "small"))) > 3
    writer.close()
    assert (tmp_path / "small").stat().st_size <= 500
    assert read_recording(str(tmp_path / "small"))[0].data == {"user_id": "ann"}


def test_a_recording_never_overwrites_another(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("kept")
    with pytest.raises(FileExistsError):
        RecordingWriter(tmp_path / "r", max_bytes=1, pseudonym=None)
    assert (tmp_path / "r").read_text() == "kept"
