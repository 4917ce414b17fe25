"""The gates themselves, on runners made of NumPy."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from exporters.errors import ExportRefused
from exporters.input_cases import InputCase, made_up_cases, random_feeds
from exporters.parity import check_parity
from exporters.speed import check_speed, measure_in_turns, measure_speed, relative_speeds
from models.contracts import contract as contract_of

BST = contract_of("bst")
MIND = contract_of("mind")
CASE = InputCase("the case", random_feeds(BST, shoppers=2, candidates=10, items=9, seed=0))


def constant(values: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda feeds: {"score": values}


@given(
    hnp.arrays(np.float32, 10, elements=st.floats(0, 1, width=32)),
    hnp.arrays(np.float32, 10, elements=st.floats(0, 1, width=32)),
    st.floats(1e-6, 0.9),
)
def test_passes_exactly_where_no_value_differs_by_more_than_the_tolerance(
    expected: np.ndarray, found: np.ndarray, tolerance: float
) -> None:
    difference = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    if difference.max() <= tolerance:
        report = check_parity("bst", constant(expected), constant(found), [CASE], tolerance)
        assert report.max_abs == difference.max()
        assert report.mean_abs == pytest.approx(difference.mean())
        assert report.samples == 10
    else:
        with pytest.raises(
            ExportRefused, match=r"bst differs from torch by .* on the case; the tolerance is"
        ):
            check_parity("bst", constant(expected), constant(found), [CASE], tolerance)


@pytest.mark.parametrize(
    ("expected", "found", "complaint"),
    [
        (np.zeros(10), np.zeros(9), r"answers shape \[9\] on the case, torch \[10\]"),
        (np.zeros(10), np.full(10, np.nan), "the exported form answers NaN or infinity in 10 of 10"),
        (np.full(10, np.inf), np.full(10, np.inf), "torch answers NaN or infinity in 10 of 10"),
        (np.zeros(0), np.zeros(0), "nothing to compare"),
    ],
)
def test_what_cannot_be_compared_is_refused(expected: np.ndarray, found: np.ndarray, complaint: str) -> None:
    with pytest.raises(ExportRefused, match=complaint):
        check_parity(
            "bst", constant(expected.astype(np.float32)), constant(found.astype(np.float32)), [CASE], 1e-4
        )


def test_the_worst_case_is_named() -> None:
    cases = [InputCase(name, CASE.feeds) for name in ("good", "bad", "worse")]
    answers = itertools.cycle(np.float32([[0.0], [0.1], [0.2]]))
    with pytest.raises(ExportRefused, match=r"differs from torch by 0\.2 on worse; the tolerance is 0\.0001"):
        check_parity(
            "bst", constant(np.zeros(1, np.float32)), lambda feeds: {"score": next(answers)}, cases, 1e-4
        )


def test_made_up_cases_reach_the_edges() -> None:
    cases = {case.name: case.feeds for case in made_up_cases(BST, items=40, seed=0)}
    sizes = {(len(feeds["history_item"]), len(feeds["candidate_item"])) for feeds in cases.values()}
    assert {(1, 1), (1, 1000), (7, 1000)} <= sizes
    assert not cases["empty histories"]["history_event"].any()
    assert cases["one shopper, one candidate, full history"]["history_event"].all()
    outside = cases["ids and codes outside the tables"]["candidate_item"]
    assert {-1, 41, np.iinfo(np.int32).min, np.iinfo(np.int32).max} <= set(outside.tolist())
    for feeds in cases.values():
        assert list(feeds) == list(BST.inputs)
        assert all(values.dtype == np.int32 for values in feeds.values())
        rows = feeds["candidate_row"]
        assert rows.min() >= 0
        assert rows.max() < len(feeds["history_item"])
    assert all(list(case.feeds) == list(MIND.inputs) for case in made_up_cases(MIND, items=40, seed=0))


def test_speed_counts_rows_by_the_median() -> None:
    # Each timed call reads the clock twice; torch and the exported form take turns.
    torch_s, exported_s = iter([2.0, 2.0, 90.0]), iter([0.5, 0.5, 0.1])
    ticks = [0.0]
    feeds = random_feeds(BST, shoppers=1, candidates=10, items=9, seed=0)
    calls = {"torch": 0, "exported": 0}

    def runner(name: str, spent):  # type: ignore[no-untyped-def]
        def run(_: object) -> dict[str, np.ndarray]:
            calls[name] += 1
            if calls[name] > 3:  # the first three are warm-up
                ticks[0] += next(spent)
            return {"score": np.zeros(10, np.float32)}

        return run

    report = measure_speed(
        runner("torch", torch_s), runner("exported", exported_s), feeds, rounds=3, timer=lambda: ticks[0]
    )
    assert (report.torch_per_s, report.exported_per_s, report.ratio) == (5.0, 20.0, 4.0)
    check_speed("bst", report, 4.0)
    with pytest.raises(ExportRefused, match=r"bst runs at 4\.00 times the speed of eager torch"):
        check_speed("bst", report, 4.1)


def test_forms_take_turns_and_their_quick_rounds_count() -> None:
    order: list[str] = []
    ticks = [0.0]

    def runner(name: str, seconds: float):  # type: ignore[no-untyped-def]
        def run(_: object) -> dict[str, np.ndarray]:
            order.append(name)
            # Every third round something else holds the machine up.
            ticks[0] += seconds + (100 if len(order) % 9 > 6 else 0)
            return {"score": np.zeros(1, np.float32)}

        return run

    runs = {"plain": runner("plain", 2.0), "twice": runner("twice", 1.0), "half": runner("half", 4.0)}
    spent = measure_in_turns(runs, [CASE.feeds], rounds=12, timer=lambda: ticks[0])
    assert [len(times) for times in spent.values()] == [12, 12, 12]
    rounds = [order[first : first + 3] for first in range(0, len(order), 3)]
    assert len(rounds) == 15
    assert all(sorted(names) == ["half", "plain", "twice"] for names in rounds)
    assert {names[0] for names in rounds} == {"half", "plain", "twice"}
    assert relative_speeds(spent, "plain", 10) == {
        "plain": (5.0, 1.0),
        "twice": (10.0, 2.0),
        "half": (2.5, 0.5),
    }
