"""CSV files and workbooks as people save them: read, or named in one line with row, column and remedy."""

import bz2
import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from ingest.shop_tables import IngestError
from ingest.table_files import FileForm, UnreadableFile, read_table
from tests.ingest.small_shop import ROWS, columns, csv_text, read, write

EVENTS = csv_text(columns())


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_separators_are_found_in_the_header(tmp_path: Path, separator: str) -> None:
    assert read(tmp_path, {"events.csv": csv_text(columns(), separator)}).events.height == ROWS


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_excels_sep_line_names_the_separator(tmp_path: Path, separator: str) -> None:
    text = f"sep={separator}\n" + csv_text(columns(), separator)
    assert read(tmp_path, {"events.csv": text}).events.height == ROWS


def test_a_rare_separator_can_be_set(tmp_path: Path) -> None:
    files = {"events.csv": csv_text(columns(), "^"), "mapping.yaml": "events: {separator: '^'}"}
    assert read(tmp_path, files).events.height == ROWS
    with pytest.raises(IngestError, match=r"mapping\.yaml: events\.separator"):
        read(tmp_path, {"mapping.yaml": "events: {separator: '::'}"})


def test_decimal_commas_do_not_pass_for_separators(tmp_path: Path) -> None:
    text = csv_text(columns(price=["9,50"] * ROWS, note=["a|b"] * ROWS), ";")
    tables = read(tmp_path, {"events.csv": text})
    assert tables.events["price"].to_list() == [9.5] * ROWS
    assert tables.events["note"].to_list() == ["a|b"] * ROWS


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_of_every_system(tmp_path: Path, encoding: str, end: str) -> None:
    content = csv_text(columns(item_id=[f"é{row % 3}" for row in range(ROWS)]), end=end).encode(encoding)
    tables = read(tmp_path, {"events.csv": content})
    assert set(tables.events["item_id"]) == {"é0", "é1", "é2"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("events.csv.gz", gzip.compress(EVENTS.encode(), mtime=0)),
        ("events.csv.bz2", bz2.compress(EVENTS.encode())),
        ("events.csv", gzip.compress(EVENTS.encode(), mtime=0)),
        ("EVENTS.CSV", EVENTS.encode()),
        ("events.txt", EVENTS.encode()),
        ("events.csv.gz", gzip.compress(EVENTS.encode("utf-16"), mtime=0)),
    ],
)
def test_packed_files_and_other_endings(tmp_path: Path, name: str, content: bytes) -> None:
    assert read(tmp_path, {name: content}).events.height == ROWS


def test_zstd(tmp_path: Path) -> None:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(EVENTS.encode())
    assert read(tmp_path, {"events.csv.zst": packed.getvalue().to_pybytes()}).events.height == ROWS


def test_another_encoding_is_refused_until_it_is_named(tmp_path: Path) -> None:
    content = csv_text(columns(title=["Müsli"] * ROWS)).encode("cp1252")
    with pytest.raises(UnreadableFile, match=r"row 2, column title: is not UTF-8.*encoding in mapping\.yaml"):
        read(tmp_path, {"events.csv": content})
    tables = read(tmp_path, {"mapping.yaml": "events: {encoding: cp1252}"})
    assert tables.items is not None
    assert set(tables.items["title"]) == {"Müsli"}
    with pytest.raises(IngestError, match=r"events\.encoding.*'utf-9'"):
        read(tmp_path, {"mapping.yaml": "events: {encoding: utf-9}"})


@pytest.mark.parametrize(
    "titles", [['24" monitor'], ['24" a', '12" b'], ['a "quoted" word', '"whole, quoted"']]
)
def test_quotes_inside_a_value_are_a_part_of_it(tmp_path: Path, titles: list[str]) -> None:
    rows = "".join(f"{title},t{number}\n" for number, title in enumerate(titles))
    table = read_table(write(tmp_path, {"t.csv": f"title,item_id\n{rows}"}) / "t.csv")
    plain = [title.strip('"') if title.startswith('"') else title for title in titles]
    assert table["title"].to_list() == plain
    assert table["item_id"].to_list() == [f"t{number}" for number in range(len(titles))]


def test_line_ends_inside_quotes_belong_to_the_value(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, {"t.csv": 'id,title\n1,"two\nlines"\n2,x\n'}) / "t.csv")
    assert table.rows() == [("1", "two\nlines"), ("2", "x")]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ('3,"half,x', "title"),
        ('3,"half" and more,x', "title"),
        ('3,x,"half', "query"),
        ('"3,x,y', "id"),
    ],
)
@pytest.mark.parametrize("quoted_later", [False, True])
def test_a_quote_that_does_not_close_is_named_by_row_and_column(
    tmp_path: Path, line: str, column: str, quoted_later: bool
) -> None:
    last = '5,"secret",z\n' if quoted_later else "5,secret,z\n"
    text = f"id,title,query\n1,a,b\n2,a,b\n{line}\n4,a,b\n{last}"
    with pytest.raises(UnreadableFile) as refused:
        read_table(write(tmp_path, {"t.csv": text}) / "t.csv")
    assert (refused.value.row, refused.value.column) == (4, column)
    message = str(refused.value)
    assert "double quote" in message
    for forbidden in ("half", "secret", "infer_schema", "\n", "ignore_errors"):
        assert forbidden not in message


@pytest.mark.parametrize("values", ["1", "1,a,b,c"])
def test_rows_of_another_length_are_named(tmp_path: Path, values: str) -> None:
    with pytest.raises(UnreadableFile, match="values where the header has 3") as refused:
        read_table(write(tmp_path, {"t.csv": f"id,title,query\n1,a,b\n{values}\n"}) / "t.csv")
    assert refused.value.row == 3


def workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    """A minimal .xlsx with inline strings."""
    spread = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml"

    def cell(value: object) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{types}"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{main}.sheet.main+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="rId1" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(
            f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
            for number, name in enumerate(sheets, 1)
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{spread}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        )
        targets = "".join(
            f'<Relationship Id="rId{number}" Type="{office}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
            for number in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{relations}">{targets}</Relationships>'
        )
        for number, rows in enumerate(sheets.values(), 1):
            lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{spread}"><sheetData>{lines}</sheetData></worksheet>',
            )
    return content.getvalue()


SHEET: list[list[object]] = [list(columns()), *map(list, zip(*columns().values(), strict=True))]


@pytest.mark.parametrize("name", ["events.xlsx", "events.csv"])
def test_a_workbook_is_read_whatever_its_ending(tmp_path: Path, name: str) -> None:
    tables = read(tmp_path, {name: workbook({"Tabelle1": SHEET})})
    assert tables.events.height == ROWS
    assert tables.events["ts_ms"][0] == columns()["timestamp"][0] * 1_000  # type: ignore[operator]


def test_numbered_ids_of_a_workbook_meet_those_of_a_csv_file(tmp_path: Path) -> None:
    rows = [SHEET[0], *([row[0], 200 + number % 3, *row[2:]] for number, row in enumerate(SHEET[1:]))]
    files = {"events.xlsx": workbook({"a": rows}), "items.csv": "item_id,brand\n200,x\n201,y\n202,z\n"}
    assert read(tmp_path, files).alarms == []


def test_of_several_sheets_one_is_named(tmp_path: Path) -> None:
    both = workbook({"2023": SHEET, "2024": SHEET})
    with pytest.raises(UnreadableFile, match=r"several sheets \(2023, 2024\); name one as sheet"):
        read(tmp_path, {"events.xlsx": both})
    assert read(tmp_path, {"mapping.yaml": "events: {sheet: '2024'}"}).events.height == ROWS
    with pytest.raises(UnreadableFile, match="has no sheet '2025'"):
        read(tmp_path, {"mapping.yaml": "events: {sheet: '2025'}"})
    (tmp_path / "mapping.yaml").unlink()
    own = workbook({"Events": SHEET, "Notes": [["x"]]})
    assert read(tmp_path, {"events.xlsx": own}).events.height == ROWS


def plain_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("events.csv", EVENTS)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04" + bytes(range(256)), "an Excel workbook or another zip archive, and damaged"),
        (plain_zip(), "a zip archive: unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "a workbook that cannot be opened"),
        (b"7z\xbc\xaf\x27\x1c rest", "a 7z archive: unpack it"),
        (b"<!DOCTYPE html><table>", "HTML"),
        (b'[{"user_id": "u1"}]', "JSON"),
        (gzip.compress(EVENTS.encode(), mtime=0)[:-30], "cannot be read|cannot be unpacked"),
        (b"\n\n\n", "empty|no header"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, what: str) -> None:
    with pytest.raises(UnreadableFile, match=what) as refused:
        read(tmp_path, {"events.csv": content})
    assert "\n" not in str(refused.value)


def test_parquet_called_csv_is_read(tmp_path: Path) -> None:
    content = io.BytesIO()
    pl.DataFrame(columns()).write_parquet(content)
    assert read(tmp_path, {"events.csv": content.getvalue()}).events.height == ROWS


def test_an_events_file_of_an_unknown_kind_is_named_by_its_kind(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"events\.zip: is a zip archive"):
        read(tmp_path, {"events.zip": plain_zip()})


def test_two_files_that_may_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"has events\.csv and events\.csv\.gz; remove all but one"):
        read(tmp_path, {"events.csv": EVENTS, "events.csv.gz": gzip.compress(EVENTS.encode(), mtime=0)})


def test_a_wanted_column_named_twice_is_refused_and_others_are_numbered(tmp_path: Path) -> None:
    write(tmp_path, {"a.csv": "id,x,x,,\n1,2,3,4,5\n", "b.csv": "id,price,price\n1,2,3\n"})
    assert read_table(tmp_path / "a.csv").columns == ["id", "x", "x_3", "column_4", "column_5"]
    with pytest.raises(UnreadableFile, match="'price' twice"):
        read_table(tmp_path / "b.csv", form=FileForm(expected=["price"]))


@pytest.mark.parametrize(
    ("content", "row", "what"),
    [
        (csv_text(columns(größe=["x"] * ROWS)).encode("cp1252"), 1, "is not UTF-8"),
        (f"# exported\n{EVENTS}".encode(), 2, "the first line, which must be the header, has 1"),
        (EVENTS.replace(",", "','").replace("\n", "'\n'").join("''").encode(), 1, "single quotes"),
    ],
)
def test_faults_of_the_header_are_named(tmp_path: Path, content: bytes, row: int, what: str) -> None:
    with pytest.raises(UnreadableFile, match=what) as refused:
        read(tmp_path, {"events.csv": content})
    assert refused.value.row == row


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"events\.csv: has no rows"):
        read(tmp_path, {"events.csv": "user_id,item_id,event,timestamp\n"})
