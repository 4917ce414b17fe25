from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.durations import SECOND
from loadtest.options import LoadOptions
from loadtest.schedule import (
    concurrency_curve,
    constant,
    even_arrivals,
    poisson_arrivals,
    rate_curve,
    scheduled_starts,
    start_times,
    stepped,
)


def first(count: int, options: LoadOptions) -> np.ndarray:
    chunks = scheduled_starts(options)
    assert chunks is not None
    starts = [start for chunk in islice(chunks, 1 + count // 4_096) for start in chunk.tolist()]
    return np.array(starts[:count])


def test_a_constant_rate_is_even() -> None:
    assert first(4, LoadOptions(rps=200)).tolist() == [0, 5_000_000, 10_000_000, 15_000_000]


def test_without_a_rate_there_is_no_schedule() -> None:
    assert scheduled_starts(LoadOptions()) is None


def test_steps_are_ghz_s() -> None:
    """ghz's documentation: start 50, 10 more every 5 s until 150."""
    options = LoadOptions(
        load_schedule="step", load_start=50, load_step=10, load_end=150, load_step_duration=5 * SECOND
    )
    curve = rate_curve(options)
    assert curve is not None
    assert [curve.at(seconds * SECOND) for seconds in (0, 4, 5, 9, 10, 49, 50, 1_000)] == [
        50, 50, 60, 60, 70, 140, 150, 150,
    ]  # fmt: skip
    starts = first(600, options)
    assert ((starts >= 0) & (starts < 5 * SECOND)).sum() == 250
    assert ((starts >= 5 * SECOND) & (starts < 10 * SECOND)).sum() == 300


@pytest.mark.parametrize(
    ("schedule", "start", "step", "end", "step_s", "max_s", "took_s"),
    [
        ("step", 50, 10, 150, 5, 0, 85.05),
        ("step", 200, -10, 0, 5, 40, 68.38),
        ("line", 5, 5, 0, 0, 0, 62.80),
        ("line", 200, -2, 100, 0, 0, 74.55),
    ],
)
def test_ten_thousand_requests_take_what_ghz_measured(
    schedule: str, start: int, step: int, end: int, step_s: int, max_s: int, took_s: float
) -> None:
    """The runs in ghz's documentation (load.md), of 10,000 requests answered in 50 ms each."""
    options = LoadOptions(
        load_schedule=schedule,
        load_start=start,
        load_step=step,
        load_end=end,
        load_step_duration=step_s * SECOND,
        load_max_duration=max_s * SECOND,
    )
    assert first(10_000, options)[-1] / SECOND + 0.05 == pytest.approx(took_s, abs=0.06)


@pytest.mark.parametrize(
    ("step", "end", "seconds", "rate"),
    [
        (5, 25, 9, 15), (5, 25, 12, 20), (5, 25, 22, 25),
        (-5, 5, 11, 10), (-5, 5, 12, 5), (-5, 5, 22, 5),
    ],
)  # fmt: skip
def test_the_rate_at_a_time_is_the_one_ghz_expects(step: int, end: int, seconds: int, rate: int) -> None:
    """Cases of ghz's TestStepPacer_Rate, steps of 4 s."""
    curve = stepped(5 if step > 0 else 20, step, end, 4 * SECOND, 0, 3_600 * SECOND)
    assert curve.at(seconds * SECOND) == rate


@pytest.mark.parametrize(
    ("start", "step", "max_s", "seconds", "rate"),
    [
        (5, 5, 25, 19, 25), (5, 5, 25, 20, 30), (5, 5, 25, 26, 35), (5, 5, 25, 31, 35),
        (20, -5, 10, 9, 10), (20, -5, 10, 15, 10), (20, -5, 12, 11, 10), (20, -5, 12, 12, 5),
    ],
)  # fmt: skip
def test_the_rate_settles_where_ghz_s_settles(
    start: int, step: int, max_s: int, seconds: int, rate: int
) -> None:
    curve = stepped(start, step, 0, 4 * SECOND, max_s * SECOND, 3_600 * SECOND)
    assert curve.at(seconds * SECOND) == rate


def test_with_an_end_and_a_longest_duration_the_end_holds_behind_it() -> None:
    curve = stepped(50, 10, 150, 5 * SECOND, 10 * SECOND, 3_600 * SECOND)
    assert [curve.at(seconds * SECOND) for seconds in (0, 5, 9, 10, 60)] == [50, 60, 60, 150, 150]


def test_a_line_is_a_step_every_second_and_may_fall() -> None:
    """ghz's documentation: start 200, 2 fewer every second until 50."""
    curve = rate_curve(LoadOptions(load_schedule="line", load_start=200, load_step=-2, load_end=50))
    assert curve is not None
    assert [curve.at(seconds * SECOND) for seconds in (0, 1, 10, 74, 75, 900)] == [200, 198, 180, 52, 50, 50]


def test_the_change_stops_at_its_longest_duration() -> None:
    curve = stepped(50, 10, 0, 5 * SECOND, 12 * SECOND, 3_600 * SECOND)
    assert curve.values == (50, 60, 70)


def test_a_rate_that_falls_to_nothing_ends_the_schedule() -> None:
    curve = stepped(3, -1, 0, SECOND, 0, 3_600 * SECOND)
    starts = np.concatenate(list(start_times(curve, even_arrivals())))
    assert len(starts) == 3 + 2 + 1
    assert starts.max() < 3 * SECOND


def test_concurrency_never_falls_below_one() -> None:
    curve = concurrency_curve(
        LoadOptions(concurrency_schedule="line", concurrency_start=5, concurrency_step=-2, concurrency_end=0)
    )
    assert min(curve.values) == 1


rates = st.integers(1, 5_000)


@settings(deadline=None, max_examples=50)
@given(
    rates, st.integers(-500, 500).filter(bool), rates, st.integers(1, 20), st.booleans(), st.integers(0, 9)
)
def test_starts_ascend_and_follow_the_integral_of_the_rate(
    start: int, step: int, end: int, step_s: int, poisson: bool, seed: int
) -> None:
    curve = stepped(start, step, end, step_s * SECOND, 0, 600 * SECOND)
    arrivals = poisson_arrivals(seed) if poisson else even_arrivals()
    chunks = list(islice(start_times(curve, arrivals), 3))
    starts = np.concatenate(chunks) if chunks else np.empty(0)
    assert (np.diff(starts) >= 0).all()
    if poisson or len(starts) < 2:
        return
    # Between two neighbouring starts the rate integrates to one request.
    edges = np.array([*curve.starts_ns, 2**62], dtype=np.float64) / SECOND
    values = np.array(curve.values)

    def integral(until: np.ndarray) -> np.ndarray:
        clipped = np.clip(until[:, None], edges[:-1], edges[1:])
        return ((clipped - edges[:-1]) * values).sum(axis=1)

    sample = starts[:: max(1, len(starts) // 50)] / SECOND
    expected = np.arange(len(starts))[:: max(1, len(starts) // 50)]
    np.testing.assert_allclose(integral(sample), expected, atol=1e-3)


def test_poisson_arrivals_have_the_mean_and_the_variance_of_their_rate() -> None:
    chunks = islice(start_times(constant(1_000), poisson_arrivals(3)), 25)
    gaps = np.diff(np.concatenate(list(chunks))) / SECOND
    assert gaps.mean() == pytest.approx(1e-3, rel=0.02)
    assert gaps.std() == pytest.approx(1e-3, rel=0.03)
    assert np.corrcoef(gaps[:-1], gaps[1:])[0, 1] == pytest.approx(0, abs=0.02)


def test_a_seed_repeats_its_arrivals() -> None:
    options = LoadOptions(rps=100, load_schedule="poisson", seed=4)
    assert (first(100, options) == first(100, options)).all()
