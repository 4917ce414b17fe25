"""What a shopper's query of the evaluation knows: what serving would know then, or of a newcomer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from evaluation.queries import TestShopper, anonymous_at, distinct_askers, profiles_of, shopper_at
from models.interaction_log import InteractionLog
from recall.triggers import TriggerSettings
from snapshot.event_codes import CART, PURCHASE

_SCHEMA = {"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64}
_CHANGES = {"user": pl.Int32, "item": pl.Int32, "ts": pl.Int64, "pieces": pl.Int32}


def log_of(changes: list[tuple[int, int, int, int]], bought: list[tuple[int, int, int]]) -> InteractionLog:
    put = [(user, item, CART, ts) for user, item, ts, pieces in changes if pieces > 0]
    events = put + [(user, item, PURCHASE, ts) for user, item, ts in bought]
    return InteractionLog.from_frames(
        pl.DataFrame(events, schema=_SCHEMA, orient="row"),
        pl.DataFrame({"user": pl.Series([1, 2], dtype=pl.Int32)}),
        9,
        np.zeros(10, np.int32),
        pl.DataFrame(sorted(changes, key=lambda row: (row[0], row[2])), schema=_CHANGES, orient="row"),
    )


def removed(log: InteractionLog, user: int, now: int) -> list[tuple[int, int]]:
    profiles = profiles_of(pl.DataFrame({"user": pl.Series([1, 2], dtype=pl.Int32)}))
    query = shopper_at(log, user, profiles, now, TriggerSettings()).query
    return list(zip(query.removed_items.tolist(), query.removed_ts.tolist(), strict=True))


def test_a_query_knows_the_removals_of_before_that_left_nothing() -> None:
    log = log_of(
        [(1, 3, 10, 2), (1, 3, 20, -1), (1, 4, 30, 1), (1, 4, 40, 0), (2, 4, 15, 1), (1, 3, 50, 0)],
        [(1, 5, 25), (2, 4, 35)],
    )
    assert removed(log, 1, 45) == [(4, 40)]
    assert removed(log, 1, 40) == []
    assert removed(log, 1, 60) == [(3, 50), (4, 40)]
    assert removed(log, 2, 60) == []


def test_a_log_that_knows_no_carts_has_no_removals() -> None:
    log = log_of([(1, 3, 10, 1)], [])
    plain = InteractionLog(log.behaviours, log.impressions, log.profile, log.items, log.categories)
    assert removed(plain, 1, 60) == []


def test_a_newcomer_is_known_by_the_newest_behaviours_and_takes_the_same() -> None:
    log = log_of([(1, 3, 10, 1), (1, 4, 30, 1), (1, 4, 35, 0)], [(1, 5, 20), (1, 6, 40), (1, 3, 70)])
    profiles = profiles_of(pl.DataFrame({"user": pl.Series([1, 2], dtype=pl.Int32)}))

    def asked(newest: int | None) -> TestShopper:
        return shopper_at(log, 1, profiles, 60, TriggerSettings(), newest)

    whole, two, none = asked(None), asked(2), asked(0)
    assert whole.query.history_items.tolist() == [6, 4, 5, 3]
    assert two.query.history_items.tolist() == [6, 4]
    assert two.query.purchased_items.tolist() == [6]
    assert (two.query.removed_items.size, whole.query.removed_items.tolist()) == (0, [4])
    assert two.query.user_id == whole.query.user_id != ""
    assert (none.query.user_id, none.query.history_items.size, none.query.profile) == ("", 0, {})
    assert [each.targets.tolist() for each in (whole, two, none)] == [[3]] * 3
    assert [each.new_targets.tolist() for each in (whole, two, none)] == [[], [3], [3]]
    assert asked(9).query.history_items.tolist() == whole.query.history_items.tolist()


def test_shoppers_whom_nobody_knows_are_asked_once() -> None:
    nobody, known = anonymous_at(60), replace(anonymous_at(60), user_id="u")
    rows, own = distinct_askers([known, nobody, known, nobody, nobody])
    assert rows == [0, 1, 2]
    assert own.tolist() == [0, 1, 2, 1, 1]
    assert distinct_askers([])[0] == []
