"""The shop's file of tagged titles: what is read, and which rows are left out for which reason."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ingest.findings import Findings
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from ingest.shop_tables import IngestError
from ingest.tagged_titles_file import FEWEST, read_tagged_titles
from tests.ingest.small_shop import columns, csv_text

GOOD = [(f"red shirt {row}", "B-colour B-product O") for row in range(FEWEST)]


def written(folder: Path, rows: list[tuple[str, ...]], head: str = "tokens,tags") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [head, *(",".join(f'"{value}"' for value in row) for row in rows)]
    (folder / "tagged_titles.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path: Path) -> None:
    bad = [
        ("red shirt", "B-colour"), ("", ""), ("blue shirt", "B-colour blue"), ("blue shirt", "O I-product"),
        ("blue shirt", "B-colour I-product"), ("red shirt  0", "O O O"), ("x " * 1_001, "O " * 1_001),
    ]  # fmt: skip
    findings = Findings()
    found = read_tagged_titles(written(tmp_path, GOOD + bad), findings)
    assert found is not None
    assert found.columns == ["tokens", "tags"]
    assert found.row(3) == (["red", "shirt", "3"], ["B-colour", "B-product", "O"])
    assert found.height == FEWEST
    assert findings.removed == {
        "tagged_titles.csv: tokens and tags that are not of equal number": 1,
        "tagged_titles.csv: no tokens or no tags": 1,
        "tagged_titles.csv: a tag that is neither O nor B- or I- with a kind": 1,
        "tagged_titles.csv: a tag I- that continues no point of its kind": 2,
        "tagged_titles.csv: more than 1,000 tokens": 1,
        "tagged_titles.csv: a title that an earlier row has": 1,
    }
    assert not findings.alarms


def test_the_split_says_what_is_held_out_and_lists_of_parquet_are_read(tmp_path: Path) -> None:
    parts = ["train", " Dev", "test", "valid", "later"]
    rows = 2 * FEWEST
    table = pl.DataFrame({
        "tokens": [["red", "shirt", str(row)] for row in range(rows)],
        "tags": [["B-colour", "B-product", "O"]] * rows,
        "split": [parts[row % 5] for row in range(rows)],
    })  # fmt: skip
    table.write_parquet(tmp_path / "tagged_titles.parquet")
    findings = Findings()
    found = read_tagged_titles(tmp_path, findings)
    assert found is not None
    assert found["held_out"].to_list() == [False, True, True, True] * (rows // 5)
    reason = "tagged_titles.parquet: a split that is none of train, dev, valid and test"
    assert findings.removed == {reason: rows // 5}


def test_too_few_titles_are_an_alarm_and_a_file_without_tags_is_refused(tmp_path: Path) -> None:
    findings = Findings()
    assert read_tagged_titles(tmp_path, findings) is None
    assert not findings.alarms
    assert read_tagged_titles(written(tmp_path, GOOD[1:]), findings) is None
    assert "49 of 49 titles can be used, and a tagger needs 50" in findings.alarms[0]
    with pytest.raises(IngestError, match="has no column tags"):
        read_tagged_titles(written(tmp_path, GOOD, "tokens,labels"), findings)
    (tmp_path / "tagged_titles.parquet").write_bytes(b"no table")
    with pytest.raises(IngestError, match="remove all but one"):
        read_tagged_titles(tmp_path, findings)
    (tmp_path / "tagged_titles.csv").unlink()
    with pytest.raises(IngestError, match="is no Parquet file"):
        read_tagged_titles(tmp_path, findings)


def test_the_data_set_keeps_them(tmp_path: Path) -> None:
    folder = written(tmp_path / "shop", [*GOOD, ("a b", "O")])
    (folder / "events.csv").write_text(csv_text(columns()))
    dataset = ingest_folder(folder, tmp_path / "workspace", IngestSettings(), 0)
    kept = dataset.tagged_titles()
    assert kept is not None
    assert kept["tokens"].to_list() == [title.split() for title, _ in GOOD]
    assert dataset.manifest.rows["tagged_titles"] == FEWEST
    assert dataset.manifest.removed["tagged_titles.csv: tokens and tags that are not of equal number"] == 1
