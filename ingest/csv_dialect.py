"""How a CSV file is written: its header, the sign between values, and whether it quotes any."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from ingest.file_bytes import FileBytes

_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?\r?\n?$', re.IGNORECASE)
SEPARATORS = (",", ";", "\t", "|")
_HEAD_CHARACTERS = 1 << 20
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Dialect:
    """How one CSV file is written.

    Attributes:
        separator: one character.
        names: of the columns, stripped, in order, all different and none empty.
        skipped_lines: lines before the first data line.
        quoted: whether any quote occurs.
    """

    separator: str
    names: tuple[str, ...]
    skipped_lines: int
    quoted: bool


class HeaderFault(Exception):
    """The header cannot be used; the message says why, without naming the file."""


def find_dialect(
    file: FileBytes,
    usual: str,
    separator: str | None = None,
    header: Sequence[str] | None = None,
    expected: Collection[str] = (),
) -> Dialect:
    """Find out how a CSV file is written.

    The separator is the one given, or named by a first line `sep=;` as Excel writes it, or the one under
    which most of the expected names are in the header; where that does not decide, the usual one if it
    occurs, else the one that gives most columns.

    Args:
        file: the file, of kind "text".
        usual: the separator that the file's ending means.
        separator: the separator, where the mapping names it.
        header: names of the columns, where the file has no header line.
        expected: names of columns that the header may have.

    Raises:
        HeaderFault: the file is empty, or names an expected column twice.
    """
    quoted = _has_quote(file)
    if header is not None:
        return Dialect(separator or usual, tuple(header), 0, quoted)
    # Bytes that are not of the encoding are found, with their row, when the file is read.
    with file.open_text(errors="replace") as text:
        head = text.read(_HEAD_CHARACTERS)
    if not head.strip():
        raise HeaderFault("the file is empty")
    skipped = 0
    lines = io.StringIO(head, newline="").readlines()
    named = _SEPARATOR_LINE.match(lines[0])
    if named:
        separator, skipped = separator or named[1], 1
    while skipped < len(lines) and not lines[skipped].strip():
        skipped += 1
    if skipped == len(lines):
        raise HeaderFault("the file has no header line")
    separator = separator or _separator(lines[skipped:], usual, expected)
    names, used = _header(lines[skipped:], separator)
    if names and all(len(name) > 2 and name[0] == name[-1] == "'" for name in map(str.strip, names)):
        raise HeaderFault("the values are in single quotes; write double quotes")
    return Dialect(separator, _distinct(names, expected), skipped + used, quoted)


def _separator(lines: Sequence[str], usual: str, expected: Collection[str]) -> str:
    order = [usual, *(sign for sign in SEPARATORS if sign != usual)]
    headers = {sign: [name.strip() for name in _header(lines, sign)[0]] for sign in order}
    wanted = {name.lower() for name in expected}
    hits = {sign: sum(name.lower() in wanted for name in names) for sign, names in headers.items()}
    best = [sign for sign in order if hits[sign] == max(hits.values())]
    if len(best) == 1:
        return best[0]
    if usual in best and len(headers[usual]) > 1:
        return usual
    return max(best, key=lambda sign: len(headers[sign]))


def _header(lines: Sequence[str], separator: str) -> tuple[list[str], int]:
    reader = csv.reader(iter(lines), delimiter=separator)
    try:
        return next(reader, []), reader.line_num
    except csv.Error as error:
        raise HeaderFault("a quote opens in the header and never closes") from error


def _distinct(names: Sequence[str], expected: Collection[str]) -> tuple[str, ...]:
    """Names without blanks around them and unprintable signs; an empty or repeated one gets a new name."""
    taken: set[str] = set()
    distinct = []
    for position, given in enumerate(names, start=1):
        name = "".join(character for character in given if character.isprintable()).strip()
        if name in taken and name in expected:
            raise HeaderFault(f"the header names the column {name!r} twice; rename one of them")
        candidates = chain([name or f"column_{position}"], (f"{name}_{n}" for n in range(position, 100_000)))
        distinct.append(next(candidate for candidate in candidates if candidate not in taken))
        taken.add(distinct[-1])
    return tuple(distinct)


def _has_quote(file: FileBytes) -> bool:
    with file.open() as stream:
        return any(b'"' in chunk for chunk in iter(lambda: stream.read(_CHUNK_BYTES), b""))
