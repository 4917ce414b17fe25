from pathlib import Path

from shopfront.build_record import BuildRecord, files_fingerprint, fingerprint


def test_a_step_is_remembered_by_its_inputs_across_processes(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    record = BuildRecord(path)
    assert record.made("train", "a") is None
    record.keep("train", "a", {"checkpoint": "1"})
    again = BuildRecord(path)
    assert again.made("train", "a") == {"checkpoint": "1"}
    assert again.made("train", "b") is None
    assert again.made("export", "a") is None


def test_a_torn_record_counts_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"train": {"inp')
    assert BuildRecord(path).made("train", "a") is None


def test_fingerprint_depends_on_values_not_on_their_order() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_files_fingerprint_sees_a_change(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "events.csv").write_text("a")
    before = files_fingerprint(tmp_path)
    assert list(before) == ["deep/events.csv"]
    (tmp_path / "deep" / "events.csv").write_text("ab")
    assert files_fingerprint(tmp_path) != before
