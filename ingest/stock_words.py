"""Whether an item can be bought, from the words and counts that shops write."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ingest.numbers import read_numbers
from ingest.placeholders import without_placeholders

IN_STOCK = frozenset(
    {
        "1", "1.0", "true", "t", "yes", "y", "on", "instock", "available", "availablefororder", "limited",
        "limitedavailability", "lowstock", "preorder", "presale", "backorder", "onbackorder", "onlineonly",
        "madetoorder", "active", "auflager", "verfügbar", "lieferbar", "enstock", "disponible", "disponibile",
        "有货", "现货",
    }
)  # fmt: skip
"""Lower case, without blanks, hyphens and underscores. What can be ordered is in stock."""

OUT_OF_STOCK = frozenset(
    {
        "0", "0.0", "false", "f", "no", "n", "off", "outofstock", "unavailable", "notavailable", "soldout",
        "discontinued", "inactive", "instoreonly", "reserved", "nostock", "notinstock", "ausverkauft",
        "nichtverfügbar", "nichtauflager", "nichtlieferbar", "rupture", "rupturedestock", "épuisé", "agotado",
        "esaurito", "无货", "缺货",
    }
)  # fmt: skip
"""In the same form as `IN_STOCK`."""

_SCHEMA_ORG = r"^(?:https?://)?(?:www\.)?schema\.org/"
_AT_LEAST = r"^(?:>=?)?([0-9]+)\+?$"


def read_stock(values: pl.Series, source: str, words: Mapping[str, bool]) -> tuple[pl.Series, pl.Series]:
    """Read a stock column: words, schema.org addresses, or counts, of which those above 0 are in stock.

    Args:
        values: any type.
        source: file to name in errors.
        words: the shop's own words, in any case, and whether they mean in stock.

    Returns:
        bool, null where a value is absent or cannot be read; and bool, True where it is there and cannot be.
    """
    given = without_placeholders(values)
    if given.dtype == pl.Boolean:
        return given, pl.repeat(False, len(given), dtype=pl.Boolean, eager=True)
    texts = given.cast(pl.String)
    known = {_plain(word): True for word in IN_STOCK} | {_plain(word): False for word in OUT_OF_STOCK}
    known |= {_plain(word): meaning for word, meaning in words.items()}
    plain = texts.str.to_lowercase().str.replace(_SCHEMA_ORG, "").str.replace_all(r"[\s_\-]+", "")
    # A minus belongs to a count, not to a word.
    plain = plain.set(texts.str.contains(r"^\s*-\s*[0-9]").fill_null(False), None)
    by_word = plain.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Boolean)
    counts, _ = read_numbers(texts.str.replace(_AT_LEAST, "$1"), source)
    stock = pl.select(pl.coalesce(by_word, counts > 0)).to_series().rename(values.name)
    return stock, stock.is_null() & given.is_not_null()


def _plain(word: str) -> str:
    return "".join(character for character in word.lower() if character not in " _-")
