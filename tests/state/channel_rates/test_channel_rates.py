"""Rates of recall channels: their file, and what they make of shares."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.channel_rates.moves import ShareLimits, share_factors
from state.channel_rates.rates import (
    NO_RATES,
    ChannelRates,
    GroupRates,
    RatesError,
    SignalSums,
    read_rates,
    write_rates,
)

CHANNELS = ("a", "b", "c", "d")
LIMITS = ShareLimits(0.5, 2.0)
NOTHING = SignalSums([0.0] * 4, [0.0] * 4, [0.0] * 4, [0.0] * 4)


def clicks(taken: list[float], expected: list[float], shoppers: float = 500.0) -> SignalSums:
    """With the variance of shoppers who click about once each."""
    return SignalSums(taken, expected, [max(1.0, each) for each in expected], [shoppers] * len(taken))


def rates_of(
    sums: SignalSums, segment: SignalSums | None = None, purchases: SignalSums = NOTHING
) -> ChannelRates:
    groups = {("home", ""): GroupRates("home", "", list(CHANNELS), [1e4] * 4, sums, purchases)}
    if segment is not None:
        groups["home", "new"] = GroupRates("home", "new", list(CHANNELS), [1e4] * 4, segment, NOTHING)
    return ChannelRates(7, groups)


def factors(rates: ChannelRates, limits: ShareLimits = LIMITS, segment: str = "") -> list[float]:
    return share_factors(rates, "home", segment, CHANNELS, limits).tolist()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    rates = rates_of(clicks([10.0, 2.5, 0.0, 1.0], [5.0, 5.0, 2.0, 1.5]), NOTHING)
    write_rates(tmp_path / "one.rates", rates)
    read = read_rates(tmp_path / "one.rates")
    assert (read.seq, read.groups) == (rates.seq, rates.groups)
    assert [path.name for path in tmp_path.iterdir()] == ["one.rates"]


ONES = [[1.0]] * 4


def file_of(channels: list[str], shown: list[float], clicks: list[list[float]] = ONES) -> bytes:
    group = ["s", "", channels, shown, clicks, ONES]
    return msgspec.json.encode({"version": 1, "seq": 1, "groups": [group]})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"version": 2, "seq": 1, "groups": []}',
        file_of(["a", "a"], [1.0, 1.0]),
        file_of(["a"], [-1.0]),
        file_of(["a"], [1.0], [[1.0], [1.0], [1.0], []]),
        file_of(["a"], [1.0]).replace(b"1.0", b"1e999", 1),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.rates").write_bytes(content)
    with pytest.raises(RatesError, match=r"bad\.rates"):
        read_rates(tmp_path / "bad.rates")


def test_a_file_of_the_right_form_is_read(tmp_path: Path) -> None:
    (tmp_path / "good.rates").write_bytes(file_of(["a"], [1.0]))
    assert list(read_rates(tmp_path / "good.rates").groups) == [("s", "")]


def test_a_channel_that_does_better_gets_more_and_one_that_does_worse_less() -> None:
    found = factors(rates_of(clicks([1_000.0, 900.0, 400.0, 1_100.0], [850.0] * 4)))
    assert found[2] < 0.7 < 1 < found[3] < 1.3
    assert found[0] > 1


def test_equal_channels_and_chance_move_nothing() -> None:
    assert factors(rates_of(clicks([500.0] * 4, [500.0] * 4))) == [1.0] * 4
    # Less than two standard deviations apart: 22 of √500.
    assert factors(rates_of(clicks([520.0, 480.0, 510.0, 490.0], [500.0] * 4))) == [1.0] * 4
    assert factors(NO_RATES) == [1.0] * 4


def test_too_few_shoppers_move_nothing() -> None:
    sums = clicks([1_000.0, 900.0, 400.0, 1_100.0], [850.0] * 4, shoppers=29.0)
    assert factors(rates_of(sums)) == [1.0] * 4


def test_purchases_count_by_their_weight() -> None:
    sold = clicks([1_000.0, 900.0, 400.0, 1_100.0], [850.0] * 4)
    rates = rates_of(clicks([500.0] * 4, [500.0] * 4), purchases=sold)
    assert factors(rates)[2] < 0.7
    assert factors(rates, ShareLimits(0.5, 2.0, weights={"clicks": 1.0, "purchases": 0.0})) == [1.0] * 4


def test_a_segment_is_drawn_to_the_scene_and_departs_from_it_where_it_is_certain() -> None:
    scene = clicks([1_000.0, 900.0, 400.0, 1_100.0], [850.0] * 4)
    alike = clicks([100.0, 90.0, 40.0, 110.0], [85.0] * 4)
    of_scene = factors(rates_of(scene))
    assert factors(rates_of(scene, alike), segment="new") == of_scene
    assert factors(rates_of(scene, clicks([1.0, 0.0, 3.0, 1.0], [1.25] * 4)), segment="new") == of_scene
    other = clicks([300.0, 300.0, 900.0, 300.0], [450.0] * 4)
    assert factors(rates_of(scene, other), segment="new")[2] > 1 > of_scene[2]
    assert factors(rates_of(scene, other), segment="nobody") == of_scene


def test_a_channels_own_bounds_hold() -> None:
    rates = rates_of(clicks([3_000.0, 100.0, 100.0, 200.0], [850.0] * 4))
    assert factors(rates) == [2.0, 0.5, 0.5, 0.5]
    kept = ShareLimits(0.5, 2.0, {"a": (1.0, 1.0), "b": (0.9, 1.1)})
    assert factors(rates, kept) == [1.0, 0.9, 0.5, 0.5]


NUMBERS = st.floats(0, 1e9)
SUMS = st.builds(
    SignalSums, *(st.lists(NUMBERS, min_size=4, max_size=4) for _ in SignalSums.__struct_fields__)
)


@settings(max_examples=60, deadline=None)
@given(sums=SUMS, segment=SUMS, least=st.floats(0.01, 1), most=st.floats(1, 10))
def test_factors_are_within_bounds_whatever_was_counted(
    sums: SignalSums, segment: SignalSums, least: float, most: float
) -> None:
    found = np.array(factors(rates_of(sums, segment, segment), ShareLimits(least, most), "new"))
    assert ((found >= least) & (found <= most)).all()
