"""Words that exports write where they have no value."""

from __future__ import annotations

import polars as pl

PLACEHOLDERS = frozenset(
    {
        "null", "(null)", "<null>", "[null]", "none", "nan", "nat", "nil", "<na>", "\\n", "n/a", "#n/a",
        "#null!",
        "#value!", "#ref!", "#div/0!", "undefined", "(none)", "(not set)",
    }
)  # fmt: skip
"""Lower case; "NA" is left out, since it is a real abbreviation of countries, brands and sizes."""

# Blanks that no one sees: no-break, zero-width, byte-order mark, soft hyphen, direction marks.
INVISIBLE = " \t\r\n\v\f\u00a0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
INVISIBLE += "\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"


def without_placeholders(values: pl.Series) -> pl.Series:
    """Strip visible and invisible blanks off texts; empty texts and placeholders become null.

    Args:
        values: any type; only texts change.
    """
    if values.dtype != pl.String:
        return values
    texts = values.str.strip_chars(INVISIBLE)
    absent = (texts == "") | texts.str.to_lowercase().is_in(list(PLACEHOLDERS))
    return texts.set(absent.fill_null(False), None)
