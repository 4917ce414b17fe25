"""Shoppers as they would be known if they had done little yet: drawn for the fit, and in a table of pages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from evaluation.newcomer_table import COLUMNS, LEAST_FIRST_VISITS, newcomer_table
from evaluation.newcomers import newcomers_of, within_first_visits
from evaluation.queries import TestShopper, shoppers_at
from evaluation.settings import EvaluationSettings
from models.interaction_log import InteractionLog
from recall.triggers import TriggerSettings
from router.ranking.logistic.table import LogisticRankerSettings
from tests.pipeline.stand_ins import FixedChannel
from tests.pipeline.test_runner import pipeline
from tests.recall.small_shop import NOW, make_catalogue, make_source

SHOPPERS, EVENTS, VIEW = 60, 100, 2
LABELS = ("anonymous", "1 known", "4 known", "16 known", "64 known")
USERS = pl.DataFrame({"user": pl.Series(range(1, SHOPPERS + 1), dtype=pl.Int32)})


def log(users: int = SHOPPERS, events: int = EVENTS) -> InteractionLog:
    """Every shopper views items 1 to 9 in turn, and item 3 after NOW."""
    rows = [
        (user, 1 + turn % 9, VIEW, NOW - 1_000 + turn)
        for user in range(1, users + 1)
        for turn in range(events)
    ]
    rows += [(user, 3, VIEW, NOW + 5) for user in range(1, users + 1)]
    return InteractionLog.from_frames(
        pl.DataFrame(
            rows, schema={"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64}, orient="row"
        ).sort("user", "ts"),
        USERS,
        9,
        np.zeros(10, np.int32),
    )


def shoppers(of: InteractionLog) -> list[TestShopper]:
    return shoppers_at(of, np.arange(1, SHOPPERS + 1), USERS, NOW, TriggerSettings())


def drawn(of: InteractionLog, seed: int = 1, **changed: object) -> list[tuple[int, int]]:
    settings = LogisticRankerSettings(**{"newcomers": 1.0, **changed})  # type: ignore[arg-type]
    found = newcomers_of(shoppers(of), of, USERS, TriggerSettings(), settings, np.random.default_rng(seed))
    assert all(each.known.user == each.whole.user for each in found)
    assert all(each.known.targets.tolist() == [3] for each in found)
    return [(each.known.user, len(each.known.query.history_items)) for each in found]


def test_newcomers_are_known_by_nothing_or_little() -> None:
    found = drawn(log())
    known = np.array([few for _, few in found])
    assert [user for user, _ in found] == list(range(1, SHOPPERS + 1))
    assert 10 < (known == 0).sum() < 30
    assert known.max() <= 64
    assert len(set(known.tolist())) > 8
    assert drawn(log()) == found != drawn(log(), seed=2)


def test_a_part_of_the_shoppers_is_drawn_once_each() -> None:
    found = [user for user, _ in drawn(log(), newcomers=0.25)]
    assert len(found) == len(set(found)) == SHOPPERS // 4
    assert drawn(log(), newcomers=0.0) == []
    assert {few for _, few in drawn(log(), newcomer_longest=0)} == {0}


def test_who_has_done_no_more_than_a_newcomer_is_left_out() -> None:
    assert {few for _, few in drawn(log(events=1))} == {0}


def visits(start: int, *, count: int = 12, step: int = 10) -> InteractionLog:
    """Every shopper views items 1 to `count` one after another from `start` on; item 9 follows itself."""
    rows = [
        (user, min(1 + turn, 9), VIEW, start + step * turn)
        for user in range(1, SHOPPERS + 1)
        for turn in range(count)
    ]
    return InteractionLog.from_frames(
        pl.DataFrame(
            rows, schema={"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64}, orient="row"
        ),
        USERS,
        9,
        np.zeros(10, np.int32),
    )


def within(of: InteractionLog, longest: int = 64, seed: int = 1) -> list[TestShopper]:
    return within_first_visits(
        shoppers(of), of, USERS, TriggerSettings(), longest, np.random.default_rng(seed)
    )


def test_who_comes_once_is_asked_in_the_midst_of_the_visit() -> None:
    asked = within(visits(NOW + 100))
    assert [each.user for each in asked] == list(range(1, SHOPPERS + 1))
    known = [len(each.query.history_items) for each in asked]
    assert 10 < known.count(0) < 30
    assert {1, 2, 3, 8}.issubset(known)
    assert max(known) == 11
    for few, each in zip(known, asked, strict=True):
        assert each.query.now == (NOW + 100 + 10 * few if few else NOW)
        assert each.query.history_items[::-1].tolist() == [min(1 + turn, 9) for turn in range(few)]
        assert each.targets.tolist() == list(range(min(1 + few, 9), 10))
    assert max(len(each.query.history_items) for each in within(visits(NOW + 100), longest=3)) == 3


def test_who_has_a_past_or_does_all_at_one_moment_is_asked_as_before() -> None:
    for of in (log(), visits(NOW + 100, step=0), visits(NOW + 100, count=1)):
        asked, before = within(of), shoppers(of)
        assert [(each.query.now, len(each.query.history_items)) for each in asked] == [
            (NOW, len(each.query.history_items)) for each in before
        ]
    assert all(each.query.now == NOW for each in within(visits(NOW + 100), longest=0))


def test_newcomers_are_cut_at_the_moment_at_which_they_are_asked() -> None:
    of = visits(NOW + 100)
    asked = within(of)
    settings = LogisticRankerSettings(newcomers=1.0)
    found = newcomers_of(asked, of, USERS, TriggerSettings(), settings, np.random.default_rng(1))
    assert found
    for each in found:
        assert each.known.query.now == each.whole.query.now
        assert each.known.targets.tolist() == each.whole.targets.tolist()
        few = len(each.known.query.history_items)
        assert each.known.query.history_items.tolist() == each.whole.query.history_items[:few].tolist()


def test_rows_of_newcomers_by_hand(tmp_path: Path) -> None:
    of = log()
    catalogue = make_catalogue(tmp_path, [1, 1, 2, 2, 0, 0, 0, 0, 0])
    # Most took item 3 lately, fewer item 1.
    events = [(user, 3, VIEW, NOW - 5) for user in range(1, 9)] + [(1, 1, VIEW, NOW - 5)]
    source = make_source(catalogue, events)
    rows = newcomer_table(
        shoppers(of)[:5],
        {"home": pipeline(FixedChannel("a", [1, 3, 4]))},
        of,
        replace(source, users=USERS),
        TriggerSettings(),
        EvaluationSettings(),
    )
    assert list(rows) == ["popularity", *(f"home, {each}" for each in LABELS)]
    assert all(tuple(row) == COLUMNS for row in rows.values())
    second = 1 / np.log2(3)
    for name in LABELS:
        row = rows[f"home, {name}"]
        assert row["ndcg@10"] == row["low"] == row["high"] == pytest.approx(second)
        assert row["hr@10"] == 1
        assert row["categories"] == 2
        assert row["over_popularity"] == pytest.approx(second - rows["popularity"]["ndcg@10"])
    assert newcomer_table([], {}, of, source, TriggerSettings(), EvaluationSettings()) == {}


def test_first_visits_have_rows_where_there_are_enough(tmp_path: Path) -> None:
    of = visits(NOW + 100, count=2)
    source = make_source(make_catalogue(tmp_path, [1] * 9), [(1, 3, VIEW, NOW - 5)])
    open_channels = {"a": FixedChannel("a", [5, 2]), "b": FixedChannel("b", [4])}

    def rows(asked: list[TestShopper]) -> dict[str, dict[str, float]]:
        return newcomer_table(
            asked,
            {"home": pipeline(FixedChannel("a", [2, 3]))},
            of,
            replace(source, users=USERS),
            TriggerSettings(),
            EvaluationSettings(),
            open_channels,
        )

    visiting = {name: row for name, row in rows(shoppers(of)).items() if name.endswith(", first visits")}
    # They viewed item 1 and take item 2 next.
    found = {name: row["ndcg@10"] for name, row in visiting.items()}
    assert found == {
        "popularity, first visits": 0.0,
        "home, first visits": 1.0,
        "a, first visits": pytest.approx(1 / np.log2(3)),
        "b, first visits": 0.0,
    }
    assert visiting["home, first visits"]["over_popularity"] == 1
    few = rows(shoppers(of)[: LEAST_FIRST_VISITS - 1])
    assert few
    assert not any(name.endswith(", first visits") for name in few)
