"""Any bytes and any texts are read or refused in one line: no crash, no content of the file in a message."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.shop_tables import IngestError
from tests.ingest.small_shop import ROWS, columns, csv_text, ingest

NASTY = st.text(alphabet="\",;|\n\r\ta10-./: \u00a0€\x00\ufeffé='()TZ", max_size=8)
PLAIN = csv_text(columns()).encode()


def outcome(content: bytes) -> str:
    """The error of ingesting content as events.csv, "" where it is accepted."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            ingest(Path(folder), {"events.csv": content})
        except IngestError as refused:
            return str(refused)
    return ""


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(NASTY, NASTY, NASTY), min_size=ROWS, max_size=ROWS),
    st.sampled_from(["utf-8", "utf-16", "cp1252"]),
)
def test_any_text_in_any_column(values: list[tuple[str, str, str]], encoding: str) -> None:
    prices, names, queries = zip(*values, strict=True)
    text = csv_text(columns(price=prices, scene=names, query=queries))
    assert "\n" not in outcome(text.encode(encoding, "replace"))


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_flipped_bytes(flips: list[tuple[int, int]]) -> None:
    content = bytearray(PLAIN)
    for position, value in flips:
        content[position] = value
    assert "\n" not in outcome(bytes(content))
