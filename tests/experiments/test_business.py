"""How a shop does, from logs whose figures are known."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from experiments.business.activity import Activity, read_activity
from experiments.business.figures import DAY_MS, FIGURES, GroupFigures
from experiments.business.report import BusinessReport, build_report
from experiments.business.table import business_table
from snapshot.event_codes import CART, IMPRESSION, PURCHASE, VIEW
from state.attribution import Attribution, AttributionCodec
from state.feedback_codes import RATED
from state.logged_event import LoggedEvent

CODEC = AttributionCodec()
START_S = 1_800_000_000 - 1_800_000_000 % 86_400


def token(request: str, arms: dict[str, str] | None = None) -> str:
    return CODEC.encode(Attribution(request, "home", "s", "", "", arms or {}, START_S))


def event(
    user: str, kind: int, day: float = 0.0, item: str = "i1", of: str = "", price: float = 0.0, **more: object
) -> LoggedEvent:
    at = START_S * 1_000 + round(day * DAY_MS)
    return LoggedEvent(
        user,
        item,
        kind,
        at,
        at,
        attribution_token=of,
        price=price,
        **more,  # type: ignore[arg-type]
    )


def read(events: Iterable[LoggedEvent], since_ms: int = 0) -> Activity:
    return read_activity(enumerate(events), CODEC, since_ms)


def report(events: Iterable[LoggedEvent], **segments: dict[str, str]) -> BusinessReport:
    return build_report(read(events), segments)


def value(group: GroupFigures, key: str) -> float | None:
    return group.figures[key].value


def served(user: str, request: str, arm: str, day: float = 0.0, items: int = 10) -> LoggedEvent:
    return event(
        user,
        IMPRESSION,
        day,
        of=token(request, {"x": arm}),
        quantity=items,
        event_id=f"exposure:{request}:home",
    )


def test_rates_are_of_items_reported_as_seen_each_once_per_answer() -> None:
    first, second = token("r1"), token("r2")
    events = [
        *(event("a", IMPRESSION, item=item, of=first) for item in ("i1", "i2", "i3", "i1")),
        event("b", IMPRESSION, item="i1", of=second),
        event("a", VIEW, of=first),
        event("a", VIEW, of=first),
        event("a", VIEW, item="i9", of=first),  # never reported as seen
        event("b", PURCHASE, of=second, price=2.0, quantity=3),
        event("b", PURCHASE, of=second, price=2.0),
        event("a", PURCHASE, item="i7"),
    ]
    (group,) = report(events).groups
    assert (group.shown, group.clicked, group.bought, group.purchases) == (4, 1, 1, 3)
    assert (value(group, "ctr"), value(group, "cvr")) == (0.25, 0.25)
    assert (group.gmv, value(group, "gmv_per_shopper")) == (8.0, 4.0)
    assert value(group, "paying_rate") == 1
    ctr = group.figures["ctr"]
    # By the delta method: residuals 1 − 3/4 and 0 − 1/4 of two shoppers over 4 items.
    half = 1.959963984540054 * math.sqrt(2 * (0.25**2 + 0.25**2) / 16)
    assert (ctr.low, ctr.high) == (pytest.approx(max(0.25 - half, 0)), pytest.approx(0.25 + half))


def test_an_arms_figures_are_of_its_shoppers_from_its_first_answer_on() -> None:
    events = [
        event("a", PURCHASE, 0.1, price=100.0),  # before the arm
        served("a", "r1", "one", 1.0),
        event("a", VIEW, 1.1, of=token("r1", {"x": "one"})),
        event("a", PURCHASE, 1.2, price=5.0),
        served("b", "r2", "two", 1.0, items=5),
        event("c", PURCHASE, 1.0, price=7.0),  # in no arm
        served("d", "r3", "one", 1.0),
        served("d", "r4", "two", 1.1),  # in both
    ]
    made = report(events)
    assert made.shown == "served"
    groups = {group.name: group for group in made.groups if group.kind == "arm"}
    assert list(groups) == ["x/one", "x/two"]
    one, two = groups.values()
    assert (one.shoppers, one.shown, one.clicked, one.gmv) == (1, 10, 1, 5.0)
    assert (two.shoppers, two.shown, two.clicked, two.gmv) == (1, 5, 0, 0.0)
    assert any("1 shoppers were answered by several arms of x" in line for line in made.warnings)
    assert any("no client reports what shoppers see" in line for line in made.warnings)


def test_who_returns_within_seven_days_is_of_those_who_could_be_seen_to() -> None:
    events = [
        event("back", VIEW, 0.5),
        event("back", VIEW, 7.2),
        event("late", VIEW, 0.5),
        event("late", VIEW, 8.2),
        event("same day", VIEW, 0.1),
        event("same day", CART, 0.9),
        event("too new", VIEW, 12.0),
        event("too new", VIEW, 13.0),
        event("last", VIEW, 19.0),
    ]
    (group,) = report(events).groups
    retention = group.figures["retention_7d"]
    # "too new" began on day 12 and is followed by days 13 to 19, the last of which is not over.
    assert (retention.value, retention.of) == (pytest.approx(1 / 3), 3)
    assert retention.low is not None
    assert retention.high is not None
    assert 0 < retention.low < 1 / 3 < retention.high < 1


def test_stickiness_is_the_days_of_the_last_thirty_on_which_a_shopper_was_there() -> None:
    events = [
        *(event("often", VIEW, day) for day in range(10, 40)),
        *(event("thrice", VIEW, day) for day in (10.1, 10.9, 20, 39)),
        event("gone", VIEW, 0),
    ]
    (group,) = report(events).groups
    daily = np.mean([2 if day in (10, 20, 39) else 1 for day in range(10, 40)])
    assert value(group, "stickiness") == pytest.approx(daily / 2)
    assert group.figures["stickiness"].of == 2
    short = report([event("a", VIEW, 0), event("b", VIEW, 0), event("a", VIEW, 1)])
    assert value(short.groups[0], "stickiness") == pytest.approx(0.75)
    assert "the log spans 2 days: DAU / MAU is of these, not of 30 days" in short.warnings
    day = report([event("a", VIEW, 0)])
    assert "the log spans 1 day: nobody could be seen to return within 7 days" in day.warnings


def test_segments_are_of_the_profile_and_what_is_no_behaviour_is_left_out() -> None:
    events = [
        event("a", PURCHASE, price=3.0),
        event("b", VIEW),
        event("c", VIEW, of="forged"),
        event("", VIEW),
        event("b", RATED),
        event("b", PURCHASE),
    ]
    made = report(events, a={"city": "Lyon"}, b={"city": "Lyon", "gender": "f"}, z={"city": "Nice"})
    assert [(group.kind, group.name, group.shoppers) for group in made.groups] == [
        ("all", "", 3),
        ("segment", "city=Lyon", 2),
        ("segment", "gender=f", 1),
    ]
    lyon = made.groups[1]
    assert (lyon.gmv, value(lyon, "paying_rate"), value(lyon, "ctr")) == (3.0, 1.0, None)
    for told in ("1 events have a token", "1 purchases have no price", "1 events are of no known shopper"):
        assert any(told in line for line in made.warnings)
    console = Console(file=io.StringIO(), width=200)
    console.print(business_table(made))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "city=Lyon" in text
    assert all(name in text for name in FIGURES.values())


def test_what_came_before_is_left_out() -> None:
    events = [event("a", VIEW, 0), event("b", VIEW, 2)]
    assert read(events, START_S * 1_000 + DAY_MS).shoppers == ("b",)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from((IMPRESSION, VIEW, PURCHASE, CART)), st.integers(0, 40)),
        min_size=1,
        max_size=30,
    )
)
def test_figures_lie_within_their_intervals_and_shares_within_0_and_1(
    rows: list[tuple[int, int, int]],
) -> None:
    made = report(event(f"u{user}", kind, day, of=token(f"r{user}")) for user, kind, day in rows)
    for figure in made.groups[0].figures.values():
        if figure.value is not None and figure.low is not None and figure.high is not None:
            assert figure.low <= figure.value + 1e-9
            assert figure.value <= figure.high + 1e-9
    for key in ("ctr", "cvr", "retention_7d", "paying_rate", "stickiness"):
        found = value(made.groups[0], key)
        assert found is None or 0 <= found <= 1
