"""The report of satisfaction against logs whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from foundation.statistics.bootstrap import grouped_interval
from learning.satisfaction.report.alerts import look_for_drops
from learning.satisfaction.report.groups import item_groups, week_of
from learning.satisfaction.report.guard import guard_arms
from learning.satisfaction.report.ratings import OVERALL, Rated, Ratings, read_ratings
from learning.satisfaction.report.report import SatisfactionReport, build_report
from learning.satisfaction.report.summary import bootstrap_mean
from learning.satisfaction.settings import AlertSettings, GuardSettings
from snapshot.event_codes import PURCHASE, VIEW
from state.attribution import Attribution, AttributionCodec
from state.feedback_codes import NOT_INTERESTED, RATED
from state.logged_event import LoggedEvent, LoggedRating

DAY_MS = 86_400_000
# A Monday.
MONDAY_MS = 1_795_392_000_000
NOW_MS = MONDAY_MS + 35 * DAY_MS
CODEC = AttributionCodec([b"a secret of 16 bytes and more"])


def rated(user: str, value: float, at_ms: int = NOW_MS - DAY_MS, **fields: object) -> Rated:
    given: dict[str, object] = {"reasons": (), "scene": "home", "arms": {}, "items": ()}
    return Rated(user, at_ms, {"price": value, OVERALL: value}, **(given | fields))  # type: ignore[arg-type]


def report(said: Sequence[Rated], segments: dict[str, dict[str, str]] | None = None) -> SatisfactionReport:
    return build_report(
        Ratings(tuple(said), 0), item_groups(None), segments or {}, NOW_MS, AlertSettings(), seed=1
    )


def said(user: str, item: str = "", token: str = "", value: int = 2, **fields: object) -> LoggedEvent:
    rating = LoggedRating({"price": value, "variety": 5}, ["too_expensive"], "a comment")
    return LoggedEvent(user, item, RATED, NOW_MS, NOW_MS, attribution_token=token, rating=rating, **fields)  # type: ignore[arg-type]


def test_a_rating_without_an_item_is_about_what_was_bought_else_opened() -> None:
    tokens = [CODEC.encode(Attribution(f"r{n}", "cart", "s", "", "", {"x": "b"}, 1)) for n in range(3)]
    log = [
        LoggedEvent("u", "opened", VIEW, 1, 1, attribution_token=tokens[0]),
        LoggedEvent("u", "bought", PURCHASE, 1, 1, attribution_token=tokens[0]),
        LoggedEvent("u", "opened", VIEW, 1, 1, attribution_token=tokens[1]),
        LoggedEvent("u", "other", PURCHASE, 1, 1),
        LoggedEvent("u", "shown", NOT_INTERESTED, 1, 1, attribution_token=tokens[2]),
        said("u", token=tokens[0]),
        said("u", token=tokens[1]),
        said("u", token=tokens[2]),
        said("u", item="named", token=tokens[0]),
        said("u", token="no token"),
    ]
    found = read_ratings(lambda: enumerate(log, 1), CODEC)
    assert [each.items for each in found.rated] == [("bought",), ("opened",), (), ("named",), ()]
    assert [dict(each.arms) for each in found.rated] == [{"x": "b"}] * 4 + [{}]
    assert found.rated[0].values == {"price": 2, "variety": 5, OVERALL: 3.5}
    assert found.unreadable == 1


def test_of_a_shopper_the_latest_rating_of_a_group_and_week_counts() -> None:
    ratings = [
        rated("u", 1, MONDAY_MS + DAY_MS),
        rated("u", 5, MONDAY_MS),
        rated("u", 4, MONDAY_MS + 8 * DAY_MS),
    ]
    ratings += [rated("v", 3, MONDAY_MS), rated("u", 2, MONDAY_MS + 2 * DAY_MS, scene="cart")]
    (everything,) = report(ratings).of("all")
    assert (everything.ratings, everything.mean, everything.csat) == (3, 3.0, 1 / 3)
    assert {each.name: each.mean for each in report(ratings).of("scene")} == {
        "home": pytest.approx(8 / 3),
        "cart": 2,
    }
    weeks = report(ratings).of("week")
    assert [(week.name, week.ratings) for week in weeks] == [
        (week_of(MONDAY_MS), 2),
        (week_of(MONDAY_MS + 7 * DAY_MS), 1),
    ]
    assert everything.few


def test_groups_by_arm_item_and_segment_with_what_detractors_say() -> None:
    ratings = [
        rated(
            f"u{n}",
            1 + n % 2 * 4,
            arms={"x": "ab"[n % 2]},
            items=("bad",) if n % 2 == 0 else ("good", "other"),
            reasons=("too_expensive", "late") if n % 4 == 0 else ("too_expensive",),
        )
        for n in range(40)
    ]
    made = report(ratings, {f"u{n}": {"city": "Lyon"} for n in range(10)})
    arms = {each.name: each for each in made.of("arm")}
    assert (arms["x/a"].csat, arms["x/b"].csat) == (0.0, 1.0)
    assert arms["x/a"].reasons == {"too_expensive": 20, "late": 10}
    assert arms["x/a"].items == {"bad": 20}
    assert arms["x/b"].reasons == {}
    assert [(each.name, each.ratings) for each in made.of("item")] == [
        ("bad", 20),
        ("good", 20),
        ("other", 20),
    ]
    (segment,) = made.of("segment")
    assert (segment.name, segment.ratings) == ("city=Lyon", 10)
    assert not segment.few


def test_intervals_cover_the_truth_of_simulated_shops() -> None:
    rng = np.random.default_rng(7)
    shares = np.array([0.1, 0.1, 0.2, 0.35, 0.25])
    truth_csat, truth_mean = shares[3:].sum(), (shares * np.arange(1, 6)).sum()
    covered = np.zeros(2)
    for _ in range(120):
        values = rng.choice(5, 80, p=shares) + 1
        (group,) = report([rated(f"u{n}", int(value)) for n, value in enumerate(values)]).of("all", "price")
        covered += (
            group.csat_low <= truth_csat <= group.csat_high,
            group.mean_low <= truth_mean <= group.mean_high,
        )
    assert (covered / 120 >= 0.88).all()
    assert (covered / 120 <= 0.995).all()


def test_the_bootstrap_draws_shoppers_whole() -> None:
    rng = np.random.default_rng(0)
    users = rng.integers(0, 30, 120)
    values = np.clip(users % 5 + 1 + rng.integers(-1, 2, 120), 1, 5).astype(float)
    expected = grouped_interval(values, users, np.random.default_rng(1), draws=4_000)
    found = bootstrap_mean(values, [f"u{user}" for user in users], np.random.default_rng(2))
    assert found == pytest.approx(expected, abs=0.06)
    alone = bootstrap_mean(values, [f"u{n}" for n in range(120)], np.random.default_rng(2))
    assert found[1] - found[0] > 1.3 * (alone[1] - alone[0])


def weeks_of(rng: np.random.Generator, share: float, share_now: float) -> list[Rated]:
    """Ratings of five weeks in three scenes; in the last, the satisfied shoppers of `home` change."""
    ratings = []
    for n in range(300):
        at_ms = NOW_MS - int(rng.uniform(0, 35) * DAY_MS)
        scene = ("home", "cart", "search")[n % 3]
        satisfied = rng.random() < (share_now if at_ms > NOW_MS - 7 * DAY_MS and scene == "home" else share)
        ratings.append(rated(f"u{n}", 5 if satisfied else 2, at_ms, scene=scene))
    return ratings


def test_a_look_at_shops_without_a_change_raises_hardly_any_alarm() -> None:
    rng = np.random.default_rng(11)
    looks = [look_for_drops(weeks_of(rng, 0.7, 0.7), NOW_MS, AlertSettings()) for _ in range(150)]
    # At 1 % one or two are expected; more than six come up in one of a thousand series.
    assert sum(bool(look.alerts) for look in looks) <= 6
    assert min(look.comparisons for look in looks) >= 4


def test_a_drop_is_found_where_it_is() -> None:
    rng = np.random.default_rng(12)
    looks = [look_for_drops(weeks_of(rng, 0.85, 0.15), NOW_MS, AlertSettings()) for _ in range(30)]
    assert sum(bool(look.alerts) for look in looks) >= 27
    found = {alert.scene for look in looks for alert in look.alerts}
    assert found <= {"", "home"}
    assert {alert.dimension for look in looks for alert in look.alerts} == {OVERALL, "price"}


def test_in_each_period_the_latest_rating_of_a_shopper_counts() -> None:
    calm = [rated(f"u{n}", 5, NOW_MS - 20 * DAY_MS) for n in range(30)]
    one_angry = [rated("angry", 1, NOW_MS - DAY_MS - n) for n in range(100)]
    assert look_for_drops(calm + one_angry, NOW_MS, AlertSettings(least_ratings=1)).alerts == []
    angry = [rated(f"u{n}", 1, NOW_MS - DAY_MS) for n in range(30)]
    (first, *_) = look_for_drops(calm + angry, NOW_MS, AlertSettings()).alerts
    assert (first.satisfied, first.ratings, first.satisfied_before, first.ratings_before) == (0, 30, 30, 30)


def of_arms(rng: np.random.Generator, each: int, **shares: float) -> list[Rated]:
    return [
        rated(f"{arm}{n}", 5 if rng.random() < share else 2, arms={"x": arm})
        for arm, share in shares.items()
        for n in range(each)
    ]


def test_the_guard_refuses_what_costs_too_much_and_nothing_else() -> None:
    rng = np.random.default_rng(5)
    settings = GuardSettings(most_drop=0.05)
    verdicts = []
    for _ in range(40):
        arms = guard_arms(
            of_arms(rng, 500, control=0.7, same=0.7, worse=0.5, bound=0.65), "x", "control", settings
        )
        verdicts.append({arm.arm: arm.verdict for arm in arms})
    assert sum(each["worse"] == "refused" for each in verdicts) >= 39
    assert sum(each["same"] == "refused" for each in verdicts) == 0
    # At the bound itself the interval lies below it in 2.5 % of experiments.
    assert sum(each["bound"] == "refused" for each in verdicts) <= 5
    assert {"kept", "unclear"} >= {each["same"] for each in verdicts}


def test_the_guard_says_nothing_of_few_ratings_and_leaves_out_who_saw_two_arms() -> None:
    rng = np.random.default_rng(6)
    assert guard_arms(of_arms(rng, 29, control=0.7, b=0.1), "x", "control", GuardSettings()) == []
    both = [
        *of_arms(rng, 40, control=0.7, b=0.7),
        *(rated(f"b{n}", 1, arms={"x": "control"}) for n in range(11)),
    ]
    assert guard_arms(both, "x", "control", GuardSettings()) == []
    assert guard_arms(both, "another", "control", GuardSettings()) == []
