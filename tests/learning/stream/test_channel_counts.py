"""Rates of recall channels, counted from the event log and the feature log."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learning.stream.stream import StreamState
from router.fusion.modulation_settings import ModulationSettings
from snapshot.catalogue import Catalogue
from snapshot.event_codes import IMPRESSION, PURCHASE, VIEW
from state.channel_rates.moves import share_factors
from state.channel_rates.rates import SignalSums
from state.feature_log.logged_page import CREDIT, LoggedPage
from state.logged_event import LoggedEvent
from testing.browsing_log import START_S, event
from testing.browsing_log import token as token_of
from tests.learning.stream.logs import ITEMS, SCENES, SETTINGS, numbered, small_catalogue
from tests.learning.stream.test_served_features import answer, end, read, state_of, write_log

CHANNELS = ("a", "b")
A, B, BOTH, NONE = [CREDIT, 0], [0, CREDIT], [CREDIT - 102, 102], [0, 0]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return small_catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    return (tmp_path / str(number) for number in itertools.count())


def credited(
    shopper: str,
    number: int,
    at_s: int,
    credits: Sequence[Sequence[int]] = (A, B, BOTH, NONE),
    segment: str = "",
) -> LoggedPage:
    return replace(
        answer(shopper, number, at_s, [0] * 4),
        segment=segment,
        credited=CHANNELS,
        credits=np.array(credits, np.uint8),
    )


def of(code: int, shopper: str, number: int, served_s: int, at_s: int, item: str) -> LoggedEvent:
    return event(code, item, at_s, shopper, token_of(shopper, number, served_s, ITEMS))


def visit(
    shopper: str, number: int, at_s: int, taken: Sequence[str], code: int = VIEW, after_s: int = 2
) -> list[LoggedEvent]:
    """A page of which every item is seen, and some taken."""
    seen = [of(IMPRESSION, shopper, number, at_s, at_s + 1, item) for item in ITEMS]
    return seen + [of(code, shopper, number, at_s, at_s + after_s, item) for item in taken]


def sums(state: StreamState, signal: str = "clicks", segment: str = "") -> SignalSums:
    return state.channel_rates().groups["home", segment].signal(signal)


def test_clicks_are_compared_with_what_the_shopper_was_shown(
    catalogue: Catalogue, folders: Iterator[Path]
) -> None:
    log = next(folders)
    write_log(log, [credited("u1", 1, START_S), credited("u2", 2, START_S)]).close()
    state = state_of(catalogue, next(folders), log)
    # u1 clicks i1 of a, u2 clicks everything, which says nothing of channels.
    read(state, [*visit("u1", 1, START_S, ["i1"]), *visit("u2", 2, START_S, ITEMS), end(START_S + 55)])
    found = sums(state)
    part = (2 - 102 / CREDIT) / 3
    assert found.taken == pytest.approx([1 + 3 * part, 3 * (1 - part)], abs=5e-3)
    assert found.expected == pytest.approx([part + 3 * part, 4 * (1 - part)], abs=0.02)
    assert found.variance == pytest.approx([(1 - part) ** 2] * 2, abs=0.02)
    assert found.shoppers == [2, 2]
    group = state.channel_rates().groups["home", ""]
    assert group.shown == pytest.approx([6 * part, 6 * (1 - part)], abs=5e-3)


def test_a_purchase_counts_after_the_label_too_and_once(
    catalogue: Catalogue, folders: Iterator[Path]
) -> None:
    log = next(folders)
    write_log(log, [credited("u1", 1, START_S)]).close()
    state = state_of(catalogue, next(folders), log)
    late = visit("u1", 1, START_S, ["i2", "i2"], PURCHASE, after_s=80)
    read(state, [*late, end(START_S + 100)])
    assert sums(state, "purchases").taken == [0, 1]
    assert sums(state).taken == [0, 0]


def test_answers_without_credits_are_not_counted(catalogue: Catalogue, folders: Iterator[Path]) -> None:
    log = next(folders)
    write_log(log, [answer("u1", 1, START_S, [0] * 4)]).close()
    state = state_of(catalogue, next(folders), log)
    read(state, [*visit("u1", 1, START_S, ["i1"]), end(START_S + 55)])
    assert not state.channel_rates().groups


def test_segments_count_beside_the_whole_scene(catalogue: Catalogue, folders: Iterator[Path]) -> None:
    log = next(folders)
    write_log(
        log, [credited("u1", 1, START_S, segment="new"), credited("u2", 2, START_S, segment="known")]
    ).close()
    state = state_of(catalogue, next(folders), log)
    read(state, [*visit("u1", 1, START_S, ["i1"]), *visit("u2", 2, START_S, ["i2"]), end(START_S + 55)])
    assert [sums(state, segment=name).taken for name in ("new", "known", "")] == [[1, 0], [0, 1], [1, 1]]


def test_what_was_counted_fades(catalogue: Catalogue, folders: Iterator[Path]) -> None:
    log = next(folders)
    write_log(log, [credited("u1", 1, START_S)]).close()
    state = state_of(catalogue, next(folders), log)
    read(state, [*visit("u1", 1, START_S, ["i1"]), end(START_S + 55), end(START_S + 60 + 86_400)])
    found = sums(state)
    assert found.taken == pytest.approx([0.5, 0], abs=5e-3)
    assert found.shoppers == pytest.approx([0.5, 0.5], abs=5e-3)


def many_visits(days: int = 3) -> tuple[list[LoggedPage], list[LoggedEvent]]:
    """Shoppers who rather click what channel b recalled, early and late, in two segments, over days."""
    random = np.random.default_rng(7)
    pages, events = [], []
    at_s = START_S
    for number in range(90):
        at_s += int(random.integers(1, 40)) + (86_400 * days // 90 if number % 10 == 0 else 0)
        shopper = f"u{random.integers(50)}"
        pages.append(credited(shopper, number, at_s, segment="new" if number % 3 else "known"))
        taken = [
            item for item, chance in zip(ITEMS, (0.1, 0.5, 0.2, 0.2), strict=True) if random.random() < chance
        ]
        events += visit(shopper, number, at_s, taken, after_s=int(random.integers(2, 60)))
        events += [of(PURCHASE, shopper, number, at_s, at_s + 70, item) for item in taken[:1]]
    return pages, sorted(events, key=lambda each: each.arrived_ms)


def test_the_counts_are_the_same_to_the_bit_however_the_log_is_cut(
    catalogue: Catalogue, folders: Iterator[Path]
) -> None:
    pages, events = many_visits()
    log = next(folders)
    write_log(log, pages).close()
    whole = state_of(catalogue, next(folders), log)
    read(whole, events)
    entries = numbered(events)
    cut = state_of(catalogue, next(folders), log)
    bounds = [
        0,
        *sorted(np.random.default_rng(1).choice(len(events), 8, replace=False).tolist()),
        len(events),
    ]
    for number, (low, high) in enumerate(itertools.pairwise(bounds)):
        cut.read(entries[max(0, low - 5) : high], SCENES)
        if number % 3 == 2:
            kept = cut.exported()
            cut = state_of(catalogue, next(folders), log)
            cut.load(*kept)
    assert cut.digest() == whole.digest()
    assert sums(whole).taken[1] > sums(whole).expected[1]


def moved(state: StreamState) -> list[float]:
    limits = ModulationSettings(least_shoppers=10).limits()
    return share_factors(state.channel_rates(), "home", "", CHANNELS, limits).tolist()


def test_a_robot_moves_no_share(catalogue: Catalogue, folders: Iterator[Path]) -> None:
    pages, events = [], []
    for number in range(40):
        pages.append(credited(f"u{number}", number, START_S))
        events += visit(f"u{number}", number, START_S, ["i1" if number % 2 else "i2"])
    quiet, log = next(folders), next(folders)
    write_log(quiet, pages).close()
    honest = state_of(catalogue, next(folders), quiet)
    read(honest, [*events, end(START_S + 55)])
    assert moved(honest) == [1, 1]
    for number in range(1_000, 1_300):
        pages.append(credited("robot", number, START_S))
        events += visit("robot", number, START_S, ["i2", "i3"])
    write_log(log, pages).close()
    state = state_of(catalogue, next(folders), log)
    read(state, [*events, end(START_S + 55)])
    assert state.drops["channel_shopper_cap"] + state.drops["shopper_cap"] > 500
    assert sums(state).taken[1] > 2 * sums(honest).taken[1]
    assert moved(state) == [1, 1]


def test_many_shoppers_move_shares(catalogue: Catalogue, folders: Iterator[Path]) -> None:
    pages, events = [], []
    for number in range(200):
        pages.append(credited(f"u{number}", number, START_S))
        events += visit(f"u{number}", number, START_S, ["i1" if number % 4 == 0 else "i2"])
    log = next(folders)
    write_log(log, pages).close()
    state = state_of(catalogue, next(folders), log)
    read(state, [*events, end(START_S + 55)])
    down, up = moved(state)
    assert down < 0.8 < 1.2 < up


def test_bounds_of_what_is_kept_hold(catalogue: Catalogue, folders: Iterator[Path]) -> None:
    pages, events = many_visits()
    log = next(folders)
    write_log(log, pages).close()
    tight = SETTINGS.channels.model_copy(update={"most_groups": 1, "shopper_items": 4, "shopper_events": 1})
    state = state_of(catalogue, next(folders), log, SETTINGS.model_copy(update={"channels": tight}))
    read(state, events)
    assert list(state.channel_rates().groups) == [("home", "")]
    assert state.drops["channel_segments_full"] > 0
    assert sum(state.channel_rates().groups["home", ""].shown) <= 50 * 4
