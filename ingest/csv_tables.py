"""Reading a CSV file in one bounded pass, and finding the row and column where one is broken."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from ingest.csv_dialect import Dialect
from ingest.file_bytes import FileBytes

_BLOCK_BYTES = 8 << 20
_LONGEST_VALUE = 1 << 20


class CsvFault(Exception):
    """Where a CSV file is broken and how; row (a line of the file) and column may be unknown."""

    def __init__(self, row: int | None, column: str | None, fault: str) -> None:
        """Keep where the fault is; the message is the fault alone."""
        self.row = row
        self.column = column
        self.fault = fault
        super().__init__(fault)


def read_csv(
    file: FileBytes,
    dialect: Dialect,
    dtypes: Mapping[str, pl.DataType | type[pl.DataType]],
    rows: pl.Expr | None,
) -> pl.DataFrame:
    """Read a CSV file block by block; values are str, and null where empty.

    A quote inside a value that does not begin with one is a part of it (24" monitor). A value that begins
    with a quote must end with one before a separator or the line's end.

    Args:
        file: of kind "text".
        dialect: how it is written.
        dtypes: types to read columns as; values that do not fit become null.
        rows: a filter on the columns as they are in the file.

    Raises:
        CsvFault: a value is not of the encoding, a quote never closes, or a row has more or fewer values than
            the header.
    """
    # The header was decoded with U+FFFD for what is not of the encoding, and is not read again.
    if dialect.quoted or any("\ufffd" in name for name in dialect.names):
        _raise_first_fault(file, dialect)
    texts = dict.fromkeys(dialect.names, pa.large_string())
    casts = [pl.col(name).cast(dtype, strict=False) for name, dtype in dtypes.items()]
    parts = [pl.DataFrame(schema=dict.fromkeys(dialect.names, pl.String)).with_columns(casts)]
    try:
        for batch in _batches(file, dialect, texts):
            part = pl.DataFrame(batch)
            parts.append((part if rows is None else part.filter(rows)).with_columns(casts))
    except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
        _raise_first_fault(file, dialect)
        raise CsvFault(None, None, "cannot be read as CSV; save it again as CSV with UTF-8") from error
    return pl.concat(parts)


def _batches(file: FileBytes, dialect: Dialect, texts: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    try:
        reader = arrow_csv.open_csv(
            file.open_utf8(),
            read_options=arrow_csv.ReadOptions(
                column_names=list(dialect.names), skip_rows=dialect.skipped_lines, block_size=_BLOCK_BYTES
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.separator,
                quote_char='"' if dialect.quoted else False,
                newlines_in_values=dialect.quoted,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict(texts), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return
        raise
    yield from reader


def _raise_first_fault(file: FileBytes, dialect: Dialect) -> None:
    """Raise `CsvFault` for the first row that is not of the encoding, quoted wrongly or of another length."""
    with _long_values(), file.open_text() as text:
        reader = csv.reader(text, delimiter=dialect.separator, strict=True)
        end = 0
        try:
            for values in reader:
                if values and len(values) != len(dialect.names) and end >= dialect.skipped_lines:
                    raise _other_length(end + 1, values, dialect)
                end = reader.line_num
        except UnicodeDecodeError:
            raise _not_decoded(file, dialect) from None
        except csv.Error:
            raise _open_quote(file, dialect, end) from None


def _other_length(row: int, values: list[str], dialect: Dialect) -> CsvFault:
    names = dialect.names
    name = names[min(len(values), len(names) - 1)]
    fault = f"has {len(values)} values where the header has {len(names)}"
    if len(values) > len(names) and dialect.separator == ",":
        fault += "; put values that have a comma in double quotes"
    if len(names) == 1:
        fault = f"has {len(values)} values, and the first line, which must be the header, has 1"
    return CsvFault(row, name, fault)


def _not_decoded(file: FileBytes, dialect: Dialect) -> CsvFault:
    encoding = "UTF-8" if file.encoding.startswith("utf-8") else file.encoding
    advice = "save the file as UTF-8, or name its encoding (for example cp1252) as encoding in mapping.yaml"
    if encoding != "UTF-8":
        return CsvFault(
            None, None, f"is not {encoding}; correct encoding in mapping.yaml, or save it as UTF-8"
        )
    with file.open_text(errors="surrogateescape") as text:
        for row, line in enumerate(text, start=1):
            broken = next((at for at, letter in enumerate(line) if "\udc80" <= letter <= "\udcff"), None)
            if broken is not None:
                before = line[:broken].count(dialect.separator)
                name = dialect.names[before] if before < len(dialect.names) else str(before + 1)
                return CsvFault(row, name, f"is not UTF-8; {advice}")
    return CsvFault(None, None, f"is not UTF-8; {advice}")


def _open_quote(file: FileBytes, dialect: Dialect, before: int) -> CsvFault:
    """The fault of the record that begins after line `before`."""
    with _long_values(), file.open_text(errors="replace") as text:
        line = next((line for row, line in enumerate(text, start=1) if row > before), "")
    try:
        opened = next(csv.reader([line], delimiter=dialect.separator), [])
    except csv.Error:
        opened = []
    position = max(len(opened) - 1, 0)
    # A value that begins with a quote and continues after the next one begins where its opening quote does.
    for place, part in enumerate(line.split(dialect.separator)):
        if part.startswith('"') and not part.rstrip("\r\n").endswith('"'):
            position = min(position, place)
            break
    name = dialect.names[position] if position < len(dialect.names) else str(position + 1)
    return CsvFault(
        before + 1,
        name,
        "a double quote opens a value and does not close before the next separator or line's end; close "
        "it, and "
        'write a quote inside a quoted value twice ("")',
    )


@contextmanager
def _long_values() -> Iterator[None]:
    """Let Python's csv read values up to 1 MiB, which also bounds what an open quote can swallow."""
    before = csv.field_size_limit(_LONGEST_VALUE)
    try:
        yield
    finally:
        csv.field_size_limit(before)
