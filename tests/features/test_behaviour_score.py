import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.behaviour_score import behaviour_scores
from snapshot.event_codes import CART, FAVORITE, IMPRESSION, PURCHASE, VIEW


def score(*events: int) -> float:
    table = pl.DataFrame(
        {
            "user": [1] * len(events),
            "item": [1] * len(events),
            "event": list(events),
            "ts": list(range(len(events))),
        },
        schema_overrides={"event": pl.UInt8},
    )
    return round(behaviour_scores(table)["score"].item(), 4)


@pytest.mark.parametrize(
    ("event", "by_count"),
    [
        (VIEW, [2.52, 2.9, 3.1, 3.2, 3.2, 3.3, 3.3]),
        (CART, [3.9, 4.1, 4.2, 4.2]),
        (PURCHASE, [4.7, 4.9, 5.0, 5.0]),
        (IMPRESSION, [0.0, 0.0, 0.0]),
    ],
)
def test_the_table(event: int, by_count: list[float]) -> None:
    assert [score(*[event] * count) for count in range(1, len(by_count) + 1)] == by_count


def test_a_favourite_lies_between_views_and_a_cart() -> None:
    assert score(*[VIEW] * 9) < score(FAVORITE) < score(FAVORITE, FAVORITE) < score(CART)


def test_the_strongest_event_type_counts_not_the_sum() -> None:
    assert score(VIEW, VIEW, CART, IMPRESSION) == 3.9
    assert score(PURCHASE, *[CART] * 5) == 4.7


def test_pairs_are_apart_sorted_and_dated_by_their_latest_behaviour() -> None:
    table = pl.DataFrame(
        {
            "user": [2, 1, 1, 1, 1],
            "item": [1, 2, 2, 2, 1],
            "event": [VIEW, VIEW, CART, IMPRESSION, IMPRESSION],
            "ts": [5, 9, 3, 20, 7],
        },
        schema_overrides={"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8},
    )
    scores = behaviour_scores(table)
    assert scores.schema == {"user": pl.Int32, "item": pl.Int32, "score": pl.Float32, "last_ts": pl.Int64}
    assert scores.with_columns(pl.col("score").round(2)).rows() == [
        (1, 1, 0.0, 7),
        (1, 2, pytest.approx(3.9), 9),
        (2, 1, pytest.approx(2.52), 5),
    ]


@given(st.lists(st.integers(IMPRESSION, PURCHASE), min_size=1, max_size=12), st.integers(VIEW, PURCHASE))
def test_doing_more_never_lowers_the_score(events: list[int], one_more: int) -> None:
    assert score(*events, one_more) >= score(*events)
