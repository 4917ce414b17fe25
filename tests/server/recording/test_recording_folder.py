"""Files of recordings: rotation, the folder's size, and what is never written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from loadtest.recording import RecordingWriter, read_recording
from server.recording.recording_folder import RecordingFolder
from server.recording.settings import RecordingSettings

CALL = "shopfront.v1.RecommendService/Recommend"
NOW = 1_795_392_000.0


def settings(folder: Path, **changes: Any) -> RecordingSettings:
    plain = {"folder": folder, "file_bytes": 4_096, "max_bytes": 3 * 4_096}
    return RecordingSettings.model_validate(plain | changes)


def opened(chosen: RecordingSettings, now: list[float] | None = None) -> RecordingFolder:
    return RecordingFolder(chosen, lambda user_id: f"p{len(user_id)}", lambda: (now or [0.0])[0], lambda: NOW)


def fill(folder: RecordingFolder, count: int, first: int = 0) -> list[str]:
    return [folder.write(CALL, {"user_id": f"u{at}"}, float(at)) for at in range(first, first + count)]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"), key=lambda path: int(path.stem.rpartition("-")[2]))


def test_a_file_that_is_full_is_followed_by_the_next(tmp_path: Path) -> None:
    folder = opened(settings(tmp_path / "new"))
    assert set(fill(folder, 80)) == {"written"}
    folder.close()
    written = files(tmp_path / "new")
    assert len(written) == 2
    assert str(os.getpid()) in written[0].name
    assert "20261123T000000" in written[0].name
    assert all(path.stat().st_size <= 4_096 for path in written)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert [request.offset_ms for request in read_recording(str(tmp_path / "new"))] == list(range(80))


def test_a_full_folder_stops_until_files_are_taken_away(tmp_path: Path) -> None:
    now = [0.0]
    folder = opened(settings(tmp_path), now)
    outcomes = fill(folder, 300)
    assert outcomes == sorted(outcomes, reverse=True)
    assert outcomes[-1] == "full"
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3 * 4_096
    kept = files(tmp_path)
    for path in kept[:2]:
        path.unlink()
    assert fill(folder, 1) == ["full"], "the folder is not looked at for every request"
    now[0] += 10.0
    assert fill(folder, 1) == ["written"]
    folder.close()


def test_where_asked_the_oldest_file_gives_way_also_one_of_another_replica(tmp_path: Path) -> None:
    other = tmp_path / "requests-elsewhere-7-20200101T000000-1.jsonl"
    other.write_text('{"offset_ms":0,"data":{}}\n' * 50)
    os.utime(other, (1, 1))
    foreign = tmp_path / "notes.jsonl"
    foreign.write_text("kept")
    folder = opened(settings(tmp_path, when_full="drop_oldest"))
    assert set(fill(folder, 600)) == {"written"}
    folder.close()
    assert not other.exists()
    assert foreign.read_text() == "kept"
    foreign.unlink()
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3 * 4_096
    offsets = [request.offset_ms for request in read_recording(str(tmp_path))]
    assert offsets == list(range(int(offsets[0]), 600)), "what is kept is the latest, without a gap"


def test_a_request_too_large_for_any_file_leaves_the_others_alone(tmp_path: Path) -> None:
    folder = opened(settings(tmp_path))
    assert fill(folder, 1) == ["written"]
    assert folder.write(CALL, {"scene": "x" * 5_000}, 1.0) == "too_large"
    assert fill(folder, 1, first=2) == ["written"]
    folder.close()
    assert [request.offset_ms for request in read_recording(str(tmp_path))] == [0.0, 2.0]


EVENTS = {
    "events": [
        {
            "user_id": "jane",
            "session_id": "jane-1",
            "event_id": "jane-e1",
            "query": "jane's size",
            "attribution_token": "token",
            "item_id": "i1",
        }
    ]
}


@pytest.mark.parametrize("keep", [False, True])
def test_who_it_was_is_written_only_where_that_is_asked_for(tmp_path: Path, keep: bool) -> None:
    folder = opened(settings(tmp_path, keep_user_ids=keep))
    folder.write("a.B/C", EVENTS, 0.0)
    folder.close()
    (request,) = read_recording(str(tmp_path))
    assert request.data is not None
    (event,) = request.data["events"]
    assert "attribution_token" not in event, "a replay must credit nobody"
    if keep:
        assert event == {name: value for name, value in EVENTS["events"][0].items() if value != "token"}
    else:
        assert "jane" not in files(tmp_path)[0].read_text()
        assert event == {"user_id": "p4", "session_id": "p6", "event_id": "p7", "item_id": "i1"}


def test_after_a_failed_write_another_file_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = opened(settings(tmp_path))
    fill(folder, 2)
    record = RecordingWriter.record

    def torn(self: RecordingWriter, call: str, data: Any, at_ms: float) -> bool:
        self._file.write(b'{"offset_ms":')
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RecordingWriter, "record", torn)
    with pytest.raises(OSError, match="No space"):
        fill(folder, 1)
    monkeypatch.setattr(RecordingWriter, "record", record)
    assert fill(folder, 2, first=2) == ["written", "written"]
    folder.close()
    assert len(files(tmp_path)) == 2
    assert [request.offset_ms for request in read_recording(str(tmp_path))] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"file_bytes": 8_192, "max_bytes": 4_096},
        {"share": 0.0},
        {"share": 1.5},
        {"methods": []},
        {"methods": ["StartRollout"]},
    ],
)
def test_settings_that_make_no_recording_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RecordingSettings.model_validate(wrong)
