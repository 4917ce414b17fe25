"""What removals leave of a cart: by pieces, in the order of time, and not beyond a purchase."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from snapshot.event_codes import CART, VIEW
from snapshot.kept_in_cart import cart_changes, kept_in_cart

Change = tuple[int, int, int, int]
"""(user, item, ts, pieces)"""
CHANGES = {"user": pl.Int32, "item": pl.Int32, "ts": pl.Int64, "pieces": pl.Int32}
NOTED = {name: CHANGES[name] for name in ("user", "item", "ts")}


def kept(
    rows: list[int], changes: list[Change], bought: Sequence[int] = (), within_s: int | None = None
) -> list[float]:
    """Of rows of shopper 1 and item 1 at these seconds."""
    return kept_in_cart(
        pl.DataFrame([(1, 1, ts) for ts in rows], schema=NOTED, orient="row"),
        pl.DataFrame(changes, schema=CHANGES, orient="row"),
        pl.DataFrame([(1, 1, ts) for ts in bought], schema=NOTED, orient="row"),
        within_s,
    ).to_list()


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([(1, 1, 5, 3)], 1),
        ([(1, 1, 5, 3), (1, 1, 9, -1)], 2 / 3),
        ([(1, 1, 5, 3), (1, 1, 9, 0)], 0),
        ([(1, 1, 5, 3), (1, 1, 9, -4)], 0),
        ([(1, 1, 5, 3), (1, 1, 8, -1), (1, 1, 9, -1)], 1 / 3),
        ([(1, 1, 5, 3), (1, 1, 6, 1), (1, 1, 9, -1)], 3 / 4),
        ([(1, 1, 5, 3), (1, 1, 6, 0), (1, 1, 7, 2), (1, 1, 9, -1)], 0),
        ([(1, 1, 9, -1)], 0),  # of what the log does not know to be in the cart
        ([(1, 2, 5, 1), (1, 2, 9, 0), (2, 1, 5, 1), (2, 1, 9, 0)], 1),  # another item, another shopper
        ([(1, 1, 1, 1), (1, 1, 2, 0), (1, 1, 5, 1)], 1),  # before the row
    ],
)
def test_it_is_the_part_of_the_pieces_that_removals_leave(changes: list[Change], left: float) -> None:
    assert kept([5], changes) == pytest.approx([left])


def test_a_purchase_ends_what_a_removal_says_and_empties_the_cart() -> None:
    changes = [(1, 1, 5, 4), (1, 1, 15, 2), (1, 1, 20, -1)]
    assert kept([20, 5, 10, 11], changes, bought=[10]) == pytest.approx([0.5, 1, 1, 0.5])
    assert kept([15], changes, bought=[20]) == [1], "at equal seconds it was bought first"


def test_later_removals_than_asked_for_count_nothing() -> None:
    assert kept([1, 2], [(1, 1, 1, 1), (1, 1, 12, 0)], within_s=10) == [1, 0]


def test_changes_are_the_carts_of_the_events_and_the_removals_after_them() -> None:
    events = pl.DataFrame(
        {
            "user": [1, 1, 1, 2],
            "item": [1, 1, 2, 1],
            "event": [CART, VIEW, CART, CART],
            "ts": [5, 6, 7, 1],
            "quantity": [2.5, 4.0, None, 0.0],
        },
        schema_overrides={"user": pl.Int32, "item": pl.Int32},
    ).lazy()
    removals = pl.DataFrame([(1, 1, 5, 2), (1, 2, 6, 0)], schema=CHANGES, orient="row")
    expected = [(1, 1, 5, 2), (1, 1, 5, -2), (1, 2, 6, 0), (1, 2, 7, 1), (2, 1, 1, 1)]
    assert cart_changes(events, removals).rows() == expected
    assert cart_changes(events.drop("quantity"), removals)["pieces"].to_list() == [1, -2, 0, 1, 1]
