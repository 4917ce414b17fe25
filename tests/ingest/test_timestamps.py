from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.timestamps import to_unix_ms

MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1))


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(MOMENTS, min_size=1, max_size=10))
def test_every_form_of_the_same_moments_agrees(moments: list[datetime]) -> None:
    moments = [moment.replace(microsecond=0) for moment in moments]
    seconds = [int(moment.replace(tzinfo=UTC).timestamp()) for moment in moments]
    expected = [second * 1_000 for second in seconds]
    forms = [
        pl.Series(moments),
        pl.Series(moments).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Shanghai"),
        pl.Series([moment.isoformat() for moment in moments]),
        pl.Series([moment.isoformat(sep=" ") for moment in moments]),
        pl.Series([f"{moment.isoformat()}Z" for moment in moments]),
    ]
    for form in forms:
        assert to_unix_ms(form).to_list() == expected
    for unit, factor in (("s", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)):
        numbers = [second * factor for second in seconds]
        assert to_unix_ms(pl.Series(numbers), unit).to_list() == expected
        assert to_unix_ms(pl.Series([str(number) for number in numbers]), unit).to_list() == expected


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000, 1_000_000_000])
def test_the_unit_of_numbers_is_found_by_their_size(factor: int) -> None:
    values = [1_511_544_070 * factor, None, 1_511_544_071 * factor]
    expected = [1_511_544_070_000, None, 1_511_544_071_000]
    assert to_unix_ms(pl.Series(values)).to_list() == expected
    assert to_unix_ms(pl.Series([None if v is None else str(v) for v in values])).to_list() == expected


def test_texts_of_several_forms_may_be_mixed_and_what_is_no_time_is_null() -> None:
    texts = [
        "2017-11-25T00:00:00Z",
        "2017-11-25T08:00:00+08:00",
        "2017-11-25 00:00:00.250",
        "2017-11-25",
        " 2017-11-25 00:01 ",
        "yesterday",
        "",
        None,
    ]
    start = 1_511_568_000_000
    assert to_unix_ms(pl.Series(texts)).to_list() == [
        start, start, start + 250, start, start + 60_000, None, None, None,
    ]  # fmt: skip


def test_dates_and_fractions_of_seconds() -> None:
    assert to_unix_ms(pl.Series([date(2017, 11, 25)])).to_list() == [1_511_568_000_000]
    assert to_unix_ms(pl.Series([1_511_568_000.5, float("nan")])).to_list() == [1_511_568_000_500, None]
    assert to_unix_ms(pl.Series(["1511568000.5", "x"])).to_list() == [1_511_568_000_500, None]


def test_a_column_without_any_value_is_all_null() -> None:
    assert to_unix_ms(pl.Series([None, None], dtype=pl.String)).to_list() == [None, None]
    assert to_unix_ms(pl.Series([], dtype=pl.Int64)).to_list() == []
