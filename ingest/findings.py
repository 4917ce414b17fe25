"""What reading a shop's files found: rows left out by reason, one masked example of each, and alarms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import polars as pl

_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_LONGEST_FORM = 40


def masked(value: object) -> str:
    """The form of a value: digits become 9, letters a or A; blanks and signs stay, so no content is shown.

    >>> masked("Jane-17")
    'Aaaa-99'
    """
    text = _LETTER.sub(lambda letter: "A" if letter.group().isupper() else "a", str(value))
    text = _DIGIT.sub("9", text)
    text = "".join(character if character.isprintable() else "·" for character in text)
    return text if len(text) <= _LONGEST_FORM else f"{text[:_LONGEST_FORM]}…"


@dataclass
class Findings:
    """Collects what the importer reports; a reason begins with the file's name.

    Attributes:
        removed: rows (or values) left out, by reason.
        changed: rows whose ids were brought to another form, by reason.
        examples: by reason, where the first such value is and its masked form.
        alarms: sentences about the whole of a file that a person must read before relying on the data set.
        row_numbers: rows of the file that a counted column's values are in; None where they follow
            the header.
    """

    removed: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    row_numbers: pl.Series | None = None

    def row(self, position: int) -> int:
        """The file's row (header = row 1) of the value at a position of the table that is being read."""
        return position + 2 if self.row_numbers is None else int(self.row_numbers[position])

    def count(
        self, reason: str, rows: pl.Series, values: pl.Series | None = None, *, kept: bool = False
    ) -> int:
        """Count the rows that have a fault.

        Args:
            reason: names the file and the fault.
            rows: bool, True where a row (or value) has the fault.
            values: the same rows' values as the file has them, for a masked example.
            kept: whether the rows stay, changed.

        Returns:
            The number of rows with the fault; nothing is kept where it is 0.
        """
        total = int(rows.sum())
        if total:
            counts = self.changed if kept else self.removed
            counts[reason] = counts.get(reason, 0) + total
            if values is not None:
                self.example(reason, rows, values)
        return total

    def example(self, reason: str, rows: pl.Series, values: pl.Series) -> None:
        """Keep the row and masked form of the first value with a fault, for a reason that others count."""
        if reason not in self.examples and rows.any():
            first = rows.arg_max() or 0
            self.examples[reason] = f"row {self.row(first)}: {masked(values[first])}"

    def alarm(self, sentence: str) -> None:
        """Keep a sentence that is shown before everything else, once."""
        if sentence not in self.alarms:
            self.alarms.append(sentence)
