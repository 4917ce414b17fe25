"""What the learner makes of a log: joins, counters, samples, and the same to the bit however it is read."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.stream.samples import Samples
from learning.stream.stream import StreamState
from snapshot.catalogue import Catalogue
from snapshot.event_codes import CART, FAVORITE, IMPRESSION, PURCHASE, REMOVE_FROM_CART, VIEW
from snapshot.item_keys import item_keys
from state.attribution import AttributionCodec
from state.live_counters.decay import SIGNALS
from state.live_counters.keys import text_key
from state.live_counters.kinds import Subjects
from state.logged_event import LoggedEvent
from testing.browsing_log import CODEC, START_S, event
from tests.learning.stream.logs import (
    ITEMS,
    SCENES,
    SETTINGS,
    counts,
    item,
    new_state,
    numbered,
    read,
    small_catalogue,
    token,
)

TOKENS = [token(shopper, number, START_S) for number, shopper in enumerate(("u1", "u2", "u1", "u2"))]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return small_catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("states")
    return (root / str(number) for number in itertools.count())


steps = st.lists(
    st.tuples(
        st.sampled_from([IMPRESSION, IMPRESSION, VIEW, VIEW, FAVORITE, CART, PURCHASE]),
        st.integers(0, 3),
        st.sampled_from([0, 1, 2, 3, None]),
        st.sampled_from([0, 0, 0, 1, 1, 5, 19, 20, 61, 119, 250, 4_000]),
    ),
    max_size=60,
)


def log_of(drawn: Sequence[tuple[int, int, int | None, int]]) -> list[LoggedEvent]:
    now, made = START_S, []
    for code, which, answer, wait in drawn:
        now += wait
        shopper = "u1" if answer is None else ("u1", "u2")[answer % 2]
        made.append(event(code, ITEMS[which], now, shopper, "" if answer is None else TOKENS[answer]))
    return made


@settings(max_examples=25, deadline=None)
@given(drawn=steps, cuts=st.lists(st.integers(0, 60), max_size=5), reload=st.booleans())
def test_the_state_is_the_same_to_the_bit_however_the_log_is_cut(
    catalogue: Catalogue,
    folders: Iterator[Path],
    drawn: list[tuple[int, int, int | None, int]],
    cuts: list[int],
    reload: bool,
) -> None:
    events = log_of(drawn)
    whole = new_state(catalogue, next(folders))
    samples = read(whole, events)
    parts = new_state(catalogue, next(folders))
    made = []
    entries = numbered(events)
    bounds = sorted({0, len(events), *(min(cut, len(events)) for cut in cuts)})
    for low, high in itertools.pairwise(bounds):
        made.append(parts.read(entries[low:high], SCENES))
        # Given again, as after a crash between reading and noting: nothing counts twice.
        made.append(parts.read(entries[:high], SCENES))
        if reload:
            kept = parts.exported()
            parts = new_state(catalogue, next(folders))
            parts.load(*kept)
    assert parts.digest() == whole.digest()
    for name in Samples.__slots__:
        joined = np.concatenate([getattr(part, name) for part in made]) if made else np.empty(0)
        assert joined.tolist() == getattr(samples, name).tolist()


@settings(max_examples=25, deadline=None)
@given(drawn=steps)
def test_counts_and_samples_are_those_of_one_event_after_the_other(
    catalogue: Catalogue, folders: Iterator[Path], drawn: list[tuple[int, int, int | None, int]]
) -> None:
    events = log_of(drawn)
    folder = next(folders)
    state = new_state(catalogue, folder)
    samples = read(state, events)
    now = events[-1].arrived_ms // 1_000 if events else START_S
    counted, labels = oracle(events, now)
    for name in ITEMS:
        expected = dict.fromkeys(SIGNALS, 0.0)
        for signal, at in counted[name]:
            expected[signal] += 2 ** (-(now // 60 - at // 60) / 60)
        found = counts(state, folder, "item", item(name), now // 60 * 60.0)
        assert found == pytest.approx(expected, abs=1e-3)
    columns = samples.shown_s, samples.clicked, samples.carted, samples.purchased
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == labels


def oracle(
    events: Sequence[LoggedEvent], now: int
) -> tuple[dict[str, list[tuple[str, int]]], list[tuple[int, bool, bool, bool]]]:
    """(signal, unix second) by item, and the labels of the samples that are known at the end."""
    counted: dict[str, list[tuple[str, int]]] = {name: [] for name in ITEMS}
    began: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], int] = {}
    seen: dict[tuple[str, str], dict[int, int]] = {}
    shown: list[tuple[int, dict[int, int]]] = []
    plain = {IMPRESSION: "impressions", VIEW: "views", PURCHASE: "purchases"}
    for each in events:
        at = each.arrived_ms // 1_000
        pair = each.attribution_token, each.item_id
        if not each.attribution_token:
            if each.event in plain and each.event != IMPRESSION:
                counted[each.item_id].append((plain[each.event], at))
            continue
        # A pair is forgotten when the second window after its first begins.
        if pair in began and at // SETTINGS.window_s - last[pair] // SETTINGS.window_s > 1:
            del began[pair], seen[pair]
        if pair not in began:
            began[pair], seen[pair] = at, {}
        last[pair] = at
        if began[pair] + SETTINGS.window_s < at:
            if each.event in plain and each.event != IMPRESSION:
                counted[each.item_id].append((plain[each.event], at))
            continue
        if each.event in seen[pair]:
            continue
        seen[pair][each.event] = at
        if each.event in plain:
            counted[each.item_id].append((plain[each.event], at))
        if each.event == IMPRESSION:
            shown.append((at, seen[pair]))
        if each.event in (IMPRESSION, VIEW) and {IMPRESSION, VIEW} <= seen[pair].keys():
            counted[each.item_id].append(("clicks", at))
    labels = [
        (at, *(code in done and done[code] < at + SETTINGS.label_wait_s for code in (VIEW, CART, PURCHASE)))
        for at, done in shown
        if at + SETTINGS.label_wait_s <= now
    ]
    return counted, labels


def test_every_reason_is_counted_and_none_is_learned_from_twice(catalogue: Catalogue, tmp_path: Path) -> None:
    at = START_S
    good = token("u1", 1, at)
    other_secret = token("u1", 2, at, codec=AttributionCodec([b"a secret of somebody else"]))
    cases = [
        (event(IMPRESSION, "i1", at, "u1", good), ""),
        (event(IMPRESSION, "i1", at, "u1", good), "duplicate_impression"),
        (event(VIEW, "i1", at, "u1", good), ""),
        (event(VIEW, "i1", at, "u1", good), "duplicate_event"),
        (event(IMPRESSION, "i2", at), "impression_without_token"),
        (event(IMPRESSION, "i2", at, "u1", good, timestamp_ms=0), "no_time"),
        (event(VIEW, "i2", at, timestamp_ms=(at - 3_600) * 1_000), "late"),
        (event(VIEW, "i2", at, timestamp_ms=(at + 3_600) * 1_000), "ahead"),
        (event(VIEW, "i9", at), "unknown_item"),
        (event(VIEW, "i2", at, "u1", other_secret), "token_forged"),
        (event(VIEW, "i2", at, "u1", "x" * 30), "token_malformed"),
        (event(VIEW, "i2", at, "u1", token("u1", 3, at - 8 * 86_400)), "token_expired"),
        (event(VIEW, "i2", at, "u1", token("u1", 3, at + 3_600)), "token_ahead"),
        (event(VIEW, "i2", at, "u2", good), "token_shopper"),
        (event(VIEW, "i3", at, "u1", token("u1", 4, at, ["i1", "i2"])), "token_item"),
        (event(VIEW, "i2", at, "u1", token("u1", 5, at, scene="gone")), "token_unknown_scene"),
        (event(9, "i2", at), "feedback"),
        (event(REMOVE_FROM_CART, "i2", at), "cart_removal"),
        (event(IMPRESSION, "i2", at, "u1", good, event_id="exposure:1:home"), "exposure"),
        (event(VIEW, "i4", at, "u1", good), ""),
        (event(IMPRESSION, "i4", at + 1, "u1", good), "click_before_impression"),
        (event(VIEW, "i3", at + 1, "u1", good), ""),
        (event(VIEW, "i1", at + 1, "", ""), "no_id"),
    ]
    state = new_state(catalogue, tmp_path)
    for each, reason in cases:
        before = Counter(state.drops)
        read(state, [each])
        change = Counter(state.drops)
        change.subtract(before)
        assert +change == ({reason: 1} if reason else {}), each
    # Of a whole log at once, too.
    again = new_state(catalogue, tmp_path)
    read(again, [each for each, _ in cases])
    assert again.digest() == state.digest()
    found = counts(state, tmp_path, "item", item("i1"), at // 60 * 60.0)
    assert found == {"impressions": 1, "clicks": 1, "views": 1, "purchases": 0}
    assert counts(state, tmp_path, "item", item("i4"), at // 60 * 60.0)["clicks"] == 1
    # Events with a token that does not count say what is popular all the same.
    assert counts(state, tmp_path, "item", item("i2"), at // 60 * 60.0)["views"] == 6
    read(state, [event(VIEW, "i2", at + 3 * SETTINGS.window_s)])
    assert state.drops["click_without_impression"] == 1


def test_a_label_waits_and_a_later_click_is_none(catalogue: Catalogue, tmp_path: Path) -> None:
    shown = token("u1", 1, START_S)
    state = new_state(catalogue, tmp_path)
    samples = read(
        state,
        [
            *(event(IMPRESSION, name, START_S, "u1", shown, position=at) for at, name in enumerate(ITEMS, 1)),
            event(VIEW, "i2", START_S + 19, "u1", shown),
            event(PURCHASE, "i2", START_S + 19, "u1", shown),
        ],
    )
    assert len(samples) == 0
    samples = read(state, [event(VIEW, "i3", START_S + 20, "u1", shown)])
    assert samples.clicked.tolist() == [False, True, False, False]
    assert samples.purchased.tolist() == [False, True, False, False]
    assert samples.positions.tolist() == [1, 2, 3, 4]
    assert samples.items.tolist() == item_keys(ITEMS).tolist()
    assert set(samples.scenes.tolist()) == {text_key("home")}
    assert set(samples.shoppers.tolist()) == {text_key("u1")}
    assert state.drops["click_after_label"] == 1
    assert counts(state, tmp_path, "item", item("i3"), START_S // 60 * 60.0)["clicks"] == 1


def test_counts_are_kept_by_category_scene_and_shopper(catalogue: Catalogue, tmp_path: Path) -> None:
    home, cart = token("u1", 1, START_S), token("u2", 2, START_S, scene="cart")
    state = new_state(catalogue, tmp_path)
    read(
        state,
        [
            event(IMPRESSION, "i1", START_S, "u1", home),
            event(IMPRESSION, "i2", START_S, "u1", home),
            event(VIEW, "i1", START_S, "u1", home),
            event(IMPRESSION, "i1", START_S, "u2", cart),
        ],
    )
    now = START_S // 60 * 60.0

    def of(kind: str, about: Subjects) -> tuple[float, float]:
        found = counts(state, tmp_path, kind, about, now)
        return found["impressions"], found["clicks"]

    assert of("all", item("i1")) == (3, 1)
    assert of("category", item("i1")) == (3, 1)
    assert of("category", item("i3", category="c2")) == (0, 0)
    assert of("item_scene", item("i1", scene="home")) == (1, 1)
    assert of("item_scene", item("i1", scene="cart")) == (1, 0)
    assert of("shopper_category", item("i1", shopper="u1")) == (2, 1)
    assert of("shopper_category", item("i1", shopper="u2")) == (1, 0)


def test_counts_are_kept_by_query_however_it_is_written(catalogue: Catalogue, tmp_path: Path) -> None:
    shown = token("u1", 1, START_S)
    state = new_state(catalogue, tmp_path)
    read(
        state,
        [
            event(IMPRESSION, "i1", START_S, "u1", shown, query="Thé  vert"),
            event(VIEW, "i1", START_S, "u1", shown, query="the VERT"),
            event(IMPRESSION, "i2", START_S, "u1", shown, query="lamp"),
            event(IMPRESSION, "i3", START_S, "u1", shown),
        ],
    )
    now = START_S // 60 * 60.0

    def of(query: str, category: str) -> tuple[float, float]:
        about = replace(item("i1", category=category), queries=np.array([text_key(query)], np.uint64))
        found = counts(state, tmp_path, "query_category", about, now)
        return found["impressions"], found["clicks"]

    assert of("the vert", "c1") == (1, 1)
    assert of("lamp", "c1") == (1, 0)
    assert of("the vert", "c2") == of("", "c2") == (0, 0)


def test_a_click_after_the_window_is_a_view_alone(catalogue: Catalogue, tmp_path: Path) -> None:
    shown, late = token("u1", 1, START_S), START_S + SETTINGS.window_s + 1
    state = new_state(catalogue, tmp_path)
    read(state, [event(IMPRESSION, "i1", START_S, "u1", shown), event(VIEW, "i1", late, "u1", shown)])
    assert state.drops["after_window"] == 1
    found = counts(state, tmp_path, "item", item("i1"), late // 60 * 60.0)
    assert (round(found["clicks"]), round(found["views"])) == (0, 1)


def test_a_codec_without_the_secret_learns_nothing_of_tokens(catalogue: Catalogue, tmp_path: Path) -> None:
    state = StreamState(SETTINGS, AttributionCodec([b"another secret of the shop"]), catalogue, tmp_path)
    read(state, [event(IMPRESSION, "i1", START_S, "u1", TOKENS[0])])
    assert +state.drops == {"token_forged": 1}
    assert CODEC.decode(TOKENS[0]).scene == "home"
    # Without any secret tokens have a checksum alone.
    unsigned = AttributionCodec([])
    sound = token("u1", 1, START_S, codec=unsigned)
    damaged = sound[:-2] + ("A" if sound[-2] != "A" else "B") + sound[-1]
    (tmp_path / "unsigned").mkdir()
    state = StreamState(SETTINGS, unsigned, catalogue, tmp_path / "unsigned")
    read(state, [event(IMPRESSION, "i1", START_S, "u1", each) for each in (sound, damaged)])
    assert +state.drops == {"token_damaged": 1}


def test_a_sample_knows_the_alerts_that_were_in_force_when_its_answer_was_made(
    catalogue: Catalogue, folders: Iterator[Path]
) -> None:
    hazy = replace_in_token(TOKENS[0], weather="haze,heat")
    events = [
        event(IMPRESSION, "i1", START_S, "u1", hazy),
        event(IMPRESSION, "i1", START_S, "u2", TOKENS[1]),
        event(VIEW, "i1", START_S + 5, "u1", hazy),
        event(VIEW, "i4", START_S + 3_600, "u1"),
    ]
    samples = read(new_state(catalogue, next(folders)), events)
    assert samples.weathers.tolist() == [text_key("haze,heat"), 0]
    assert samples.clicked.tolist() == [True, False]


def replace_in_token(text: str, **fields: Any) -> str:
    """The token with other fields."""
    return CODEC.encode(msgspec.structs.replace(CODEC.decode(text), **fields))
