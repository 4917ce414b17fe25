"""What a file is by its first bytes, and its text as a stream of UTF-8."""

from __future__ import annotations

import codecs
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

Kind = Literal["text", "parquet", "workbook", "other"]

_HEAD_BYTES = 4_096
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_NAMED = {
    b"Rar!": "a RAR archive: unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it",
    b"\xfd7zXZ\x00": "an xz archive: unpack it, or pack it as .gz or .zst",
    b"SQLite format 3": "an SQLite database: export the table as CSV or Parquet",
    b"ARROW1": "an Arrow file: write it as Parquet",
    b"Obj\x01": "an Avro file: write it as Parquet",
    b"ORC": "an ORC file: write it as Parquet",
    b"%PDF": "a PDF: export the table as CSV",
}
_NAMED_TEXTS = {
    b"<!doctype html": "HTML: export the table as CSV",
    b"<html": "HTML: export the table as CSV",
    b"<table": "HTML: export the table as CSV",
    b"<?xml": "XML: export the table as CSV",
    b'{"': "JSON: write it as CSV or Parquet",
    b'[{"': "JSON: write it as CSV or Parquet",
}
_ZIP, _OLD_OFFICE, _PARQUET = b"PK", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PAR1"
_WORKBOOK_PARTS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class FileBytes:
    """A file as found.

    Attributes:
        path: where it is.
        kind: "text" may be CSV; "other" cannot be read, and `name` says what it is and what to do.
        name: for people, where the kind is "other".
        packed: "gzip", "zstd", "bz2" or None.
        encoding: Python's name of a text's encoding; UTF-8 where nothing shows another.
    """

    path: Path
    kind: Kind
    name: str = ""
    packed: str | None = None
    encoding: str = "utf-8"

    def open(self) -> io.BufferedIOBase:
        """The unpacked bytes, from the beginning."""
        if self.packed is None:
            return self.path.open("rb")
        return io.BufferedReader(pa.input_stream(str(self.path), compression=self.packed))

    def open_utf8(self) -> pa.NativeFile:
        """The text as UTF-8 for Arrow; reading raises UnicodeDecodeError at bytes the encoding lacks."""
        stream = pa.input_stream(str(self.path), compression=self.packed)
        if self.encoding in ("utf-8", "utf-8-sig"):
            return stream
        return pa.transcoding_input_stream(stream, self.encoding, "utf-8")

    def open_text(self, errors: str = "strict") -> io.TextIOWrapper:
        """The text for Python's csv: line ends of every system end a line, and none is changed."""
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        return io.TextIOWrapper(self.open(), encoding=encoding, errors=errors, newline="")  # type: ignore[arg-type]


def recognise(path: Path, encoding: str | None = None) -> FileBytes:
    """Find out what a file is; its ending does not matter.

    Args:
        path: an existing file.
        encoding: of a text, where the mapping names it.

    Raises:
        OSError: the file cannot be read or unpacked.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    packed = next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)
    if packed is not None:
        with FileBytes(path, "text", packed=packed).open() as unpacked:
            head = unpacked.read(_HEAD_BYTES)
    if head.startswith(_PARQUET):
        return (
            FileBytes(path, "parquet")
            if packed is None
            else FileBytes(path, "other", "packed Parquet: unpack it")
        )
    if head.startswith(_ZIP) or head.startswith(_OLD_OFFICE):
        return _archive(path, head)
    for magic, name in _NAMED.items():
        if head.startswith(magic):
            return FileBytes(path, "other", name)
    for magic, name in _NAMED_TEXTS.items():
        if head.removeprefix(codecs.BOM_UTF8).lstrip()[: len(magic)].lower() == magic:
            return FileBytes(path, "other", name)
    return FileBytes(path, "text", packed=packed, encoding=encoding or _encoding(head))


def _archive(path: Path, head: bytes) -> FileBytes:
    if head.startswith(_OLD_OFFICE):
        return FileBytes(path, "workbook")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        if not head.startswith(b"PK\x03\x04"):
            return FileBytes(path, "text")
        return FileBytes(
            path,
            "other",
            "an Excel workbook or another zip archive, and damaged: save the sheet again, as CSV with UTF-8",
        )
    if any(part in names for part in _WORKBOOK_PARTS):
        return FileBytes(path, "workbook")
    return FileBytes(path, "other", "a zip archive: unpack it")


def _encoding(head: bytes) -> str:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # A header of names in Latin letters has a zero in every other byte of UTF-16.
    even, odd = head[:64:2], head[1:64:2]
    if len(odd) > 1 and not any(odd) and all(even):
        return "utf-16-le"
    if len(even) > 1 and not any(even) and all(odd):
        return "utf-16-be"
    return "utf-8"
