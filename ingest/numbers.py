"""Numbers as shops write them: currencies, thousands, decimal commas, minus signs in any place."""

from __future__ import annotations

from typing import Literal

import polars as pl

from ingest.placeholders import without_placeholders
from ingest.shop_tables import IngestError

DecimalMark = Literal[".", ","]

LARGEST = 1e12
"""A price, quantity or count beyond this is a mistake; it also keeps float32 columns finite."""

_CURRENCY = r"[A-Za-z]{0,3}\p{Sc}|[A-Z]{3}|zł|Kč|kr\.?|Rs\.?|Ft|lei|лв\.?|руб\.?|р\.|元|円"
_FORM = (
    rf"^(?P<open>\()?(?P<before>-)?(?P<left>{_CURRENCY})?(?P<middle>-)?"
    rf"(?P<body>[0-9][0-9.,]*|\.[0-9]+)(?P<after>-)?(?P<right>{_CURRENCY})?(?P<last>-)?(?P<close>\))?$"
)
_THOUSANDS_MARKS = "[\\s'\u2019\u00a0\u2009\u202f]"
_WHOLE = r"^[0-9]+$"
_POINT_DECIMAL = r"^(?:[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*|[0-9]*\.[0-9]+|[0-9]+\.)$"
_COMMA_DECIMAL = (
    r"^[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*$|^[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})$|^0[0-9]*,[0-9]+$"
    r"|^[0-9]{4,},[0-9]{3}$"
)
_ONE_GROUP = r"^[1-9][0-9]{0,2}[.,][0-9]{3}$"
_GROUPS_BY_COMMA = r"^[0-9]{1,3}(?:,[0-9]{3}){2,}$|^[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]*)?$"
_GROUPS_BY_POINT = r"^[0-9]{1,3}(?:\.[0-9]{3}){2,}$"


def read_numbers(
    values: pl.Series, source: str, decimal: DecimalMark | None = None
) -> tuple[pl.Series, pl.Series]:
    """Read a column of numbers.

    A currency before or after, blanks or apostrophes between thousands, and a minus before, behind or as
    parentheses are understood. A comma or point is taken as what it must be: 1.234,50 and 9,99 have a decimal
    comma. "1,234" may be 1234 or 1.234; it is read where the column's other values show which, and cannot be
    read otherwise. "1.234" alone is read as a decimal, as programs write it, unless the column has decimal
    commas.

    Args:
        values: any type.
        source: file to name in errors.
        decimal: the mark before the decimals, where the shop says which.

    Returns:
        float64, null where a value is absent or cannot be read, never NaN, infinite or beyond `LARGEST`; and
        bool, True where a value is there and cannot be read.

    Raises:
        IngestError: the column has amounts in several currencies.
    """
    given = without_placeholders(values)
    if given.dtype == pl.String:
        plain = given.cast(pl.Float64, strict=False)
        grouped = given.str.contains(_ONE_GROUP) | given.str.contains(r"^[0-9]{1,3}(?:\.[0-9]{3})+$")
        if decimal != "," and not (plain.is_null() & given.is_not_null()).any() and plain.is_finite().all():
            numbers = plain
        else:
            # A form that a program also writes keeps its plain reading unless the marks say otherwise.
            shop = _shop_numbers(given, source, decimal)
            exotic = plain.is_not_null() & shop.is_null() & ~grouped.fill_null(False)
            numbers = pl.select(pl.when(exotic).then(plain).otherwise(shop)).to_series()
    else:
        numbers = given.cast(pl.Float64, strict=False)
    usable = numbers.is_finite().fill_null(False) & (numbers.abs() <= LARGEST).fill_null(False)
    absent = given.is_null() | (given.is_nan() if given.dtype.is_float() else False)
    return numbers.set(~usable, None).rename(values.name), ~usable & ~absent


def _shop_numbers(texts: pl.Series, source: str, decimal: DecimalMark | None) -> pl.Series:
    compact = texts.str.replace_all("[\u2212\u2013]", "-").str.replace_all(_THOUSANDS_MARKS, "")
    parts = compact.str.extract_groups(_FORM).struct.unnest()
    _refuse_several_currencies(parts, texts.name, source)
    body = pl.col("body")
    signs = sum(
        (pl.col(name).is_not_null().cast(pl.Int8) for name in ("before", "middle", "after", "last")),
        pl.col("open").is_not_null().cast(pl.Int8),
    )
    matched = pl.col("open").is_null() == pl.col("close").is_null()
    mark = decimal or _shown_mark(parts["body"])
    comma_read = body.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    point_read = body.str.replace_all(",", "", literal=True)
    by_mark = {
        ",": pl.when(body.str.contains(r"^(?:[0-9]*|[0-9]{1,3}(?:\.[0-9]{3})+)(?:,[0-9]*)?$")).then(
            comma_read
        ),
        ".": pl.when(
            body.str.contains(r"^(?:[0-9]*|[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3})(?:\.[0-9]*)?$")
        ).then(point_read),
    }
    by_itself = (
        pl.when(body.str.contains(_WHOLE) | body.str.contains(_GROUPS_BY_COMMA))
        .then(point_read)
        .when(body.str.contains(_GROUPS_BY_POINT) | body.str.contains(_COMMA_DECIMAL))
        .then(comma_read)
        .when(body.str.contains(_POINT_DECIMAL))
        .then(point_read)
    )
    if mark is None:
        chosen: pl.Expr = by_itself
    elif decimal is not None:
        chosen = by_mark[mark]
    else:
        # What one value shows by itself counts more than what the others show.
        chosen = pl.when(body.str.contains(_ONE_GROUP)).then(by_mark[mark]).otherwise(by_itself)
    size = pl.when(matched & (signs <= 1)).then(chosen.cast(pl.Float64, strict=False))
    return parts.select(pl.when(signs == 1).then(-size).otherwise(size).alias(texts.name)).to_series()


def _shown_mark(bodies: pl.Series) -> DecimalMark | None:
    """The decimal mark that values show which can be read in one way only; None where none or both are."""
    several = ~bodies.str.contains(_ONE_GROUP)
    comma = (several & (bodies.str.contains(_COMMA_DECIMAL) | bodies.str.contains(_GROUPS_BY_POINT))).any()
    point = (several & (bodies.str.contains(_POINT_DECIMAL) | bodies.str.contains(_GROUPS_BY_COMMA))).any()
    if comma == point:
        # Programs write 1.234 with a point; 1,234 stays open then.
        return "." if not comma and not bodies.str.contains(r"^[1-9][0-9]{0,2},[0-9]{3}$").any() else None
    return "," if comma else "."


def _refuse_several_currencies(parts: pl.DataFrame, column: str, source: str) -> None:
    found = pl.concat([parts["left"], parts["right"]]).drop_nulls().unique().sort().to_list()
    if len(found) > 1:
        raise IngestError(
            f"{source}: column {column!r} has amounts in several currencies ({', '.join(found[:5])}); "
            "convert them to one, or map a column that has one currency"
        )
