"""What serving knew of shoppers, followed in the feature log and joined with samples."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.labelled.labelled_rows import LabelledRows
from learning.labelled.logged_answers import LoggedAnswers
from learning.stream.samples import Samples
from learning.stream.served_features import ServedFeatures
from learning.stream.settings import StreamSettings
from learning.stream.stream import StreamState
from snapshot.catalogue import Catalogue
from snapshot.event_codes import IMPRESSION, VIEW
from snapshot.item_keys import item_keys
from state.feature_log.log_folder import FeatureLogFolder
from state.feature_log.logged_page import LoggedPage, encode
from state.feature_log.settings import FeatureLogSettings
from state.live_counters.decay import HALF_LIVES_S, SIGNALS
from state.live_counters.keys import combined, text_key
from state.live_counters.kinds import Subjects
from state.live_counters.profile_keys import ProfileKeys
from state.logged_event import LoggedEvent
from state.published import LiveFolder, LiveManifest, write_manifest
from state.store import StateStore
from testing.browsing_log import CODEC, START_S, event
from testing.browsing_log import token as token_of
from tests.learning.stream.logs import ITEMS, SCENES, SETTINGS, append, numbered, small_catalogue

VOCABULARY = {"gender": ["f", "m"], "age_band": ["18-24"], "city": ["Beijing", "Xi'an"]}
F_YOUNG_XIAN = [1, 1, 2, 0]
M_OF_ANY_AGE = [2, 0, 0, 0]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return small_catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("logs")
    return (root / str(number) for number in itertools.count())


def profiles(snapshot_id: str) -> ProfileKeys | None:
    return ProfileKeys.of(VOCABULARY) if snapshot_id == "s1" else None


def features_of(folder: Path, stream: StreamSettings = SETTINGS) -> ServedFeatures:
    return ServedFeatures(folder, stream, profiles)


def state_of(catalogue: Catalogue, folder: Path, log: Path, stream: StreamSettings = SETTINGS) -> StreamState:
    folder.mkdir(parents=True, exist_ok=True)
    return StreamState(stream, CODEC, catalogue, folder, features_of(log, stream))


def answer(shopper: str, number: int, at_s: int, codes: Sequence[int], snapshot: str = "s1") -> LoggedPage:
    """An entry of the feature log for the answer whose token is `token_of(shopper, number, at_s, ITEMS)`."""
    count = len(ITEMS)
    return LoggedPage(
        token_of(shopper, number, at_s, ITEMS),
        f"request-{number}",
        "home",
        "",
        at_s,
        snapshot,
        "bst",
        "1",
        {},
        ["hot"],
        0,
        np.array(codes, np.int32),
        np.zeros(3, np.int32),
        ITEMS,
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
        np.ones(count, np.uint32),
    )


def write_log(folder: Path, pages: Sequence[LoggedPage], *, file_bytes: int = 2**20) -> FeatureLogFolder:
    log = FeatureLogFolder(FeatureLogSettings(folder=folder, file_bytes=file_bytes))
    for page in pages:
        log.write(encode(page))
    stamp(folder)
    return log


def stamp(folder: Path) -> None:
    """Makes the files as new as the made-up events, whose clock is ahead of this machine's."""
    for path in folder.glob("*.features"):
        os.utime(path, (2 * START_S, 2 * START_S))


def shown(shopper: str, number: int, served_s: int, at_s: int, item: str = "i1") -> LoggedEvent:
    return event(IMPRESSION, item, at_s, shopper, token_of(shopper, number, served_s, ITEMS))


def clicked(shopper: str, number: int, served_s: int, at_s: int, item: str = "i1") -> LoggedEvent:
    return event(VIEW, item, at_s, shopper, token_of(shopper, number, served_s, ITEMS))


def read(state: StreamState, events: Sequence[LoggedEvent]) -> Samples:
    return state.read(numbered(events, state.seq), SCENES)


def end(at_s: int) -> LoggedEvent:
    """So that what came before is due."""
    return event(VIEW, "i4", at_s, "nobody")


def test_samples_have_what_serving_knew_and_the_others_are_counted(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    at = START_S
    write_log(
        tmp_path / "log",
        [
            answer("u1", 1, at, F_YOUNG_XIAN),
            answer("u2", 2, at, M_OF_ANY_AGE),
            answer("u3", 3, at, F_YOUNG_XIAN, snapshot="gone"),
            answer("u4", 4, at - SETTINGS.answer_window_s - 1, F_YOUNG_XIAN),
            # Of another vocabulary than its snapshot says: no value, and no failure.
            answer("u5", 5, at, [9, -1, 9, 9]),
        ],
    ).close()
    state = state_of(catalogue, tmp_path / "state", tmp_path / "log")
    early = at - SETTINGS.answer_window_s - 1
    served = {"u1": at, "u2": at, "u3": at, "u4": early, "u5": at, "u6": at}
    events = [shown(user, number, served[user], at) for number, user in enumerate(served, start=1)]
    samples = read(state, [*events, clicked("u1", 1, at, at + 1), end(at + 60)])
    xian, crowd = (
        text_key("Xi'an"),
        int(combined(*(np.array([text_key(name)], np.uint64) for name in ("f", "18-24")))[0]),
    )
    assert samples.regions.tolist() == [xian, 0, 0, 0, 0, 0]
    assert samples.crowds.tolist() == [crowd, 0, 0, 0, 0, 0]
    assert samples.answers.tolist() == [
        text_key(token_of(user, number, served[user], ITEMS)) for number, user in enumerate(served, start=1)
    ]
    assert samples.served_s.tolist() == list(served.values())
    assert +state.drops == {"features_old": 1, "features_not_logged": 1}
    assert state.rows["answers"] == 5
    write_manifest(tmp_path / "state", LiveManifest(state.files))
    replica = LiveFolder(tmp_path / "state")
    replica.look()
    of = Subjects(
        item_keys(["i1"]),
        *np.zeros((3, 1), np.uint64),
        regions=np.array([xian], np.uint64),
        crowds=np.array([crowd], np.uint64),
    )
    hour = list(HALF_LIVES_S).index("1h")
    for kind in ("region_item", "crowd_item"):
        counts = replica.current.counters.counts(kind, of, (at + 60) // 60 * 60.0)[0, hour]
        assert dict(zip(SIGNALS, counts, strict=True)) == pytest.approx(
            {"impressions": 1, "clicks": 1, "views": 0, "purchases": 0}, rel=0.02
        )


def test_answers_beyond_the_bound_are_counted_and_old_ones_are_forgotten(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    limits = SETTINGS.model_copy(update={"most_answers": 1_000})
    at = START_S
    write_log(tmp_path / "log", [answer("u1", number, at, F_YOUNG_XIAN) for number in range(1_200)]).close()
    state = state_of(catalogue, tmp_path / "state", tmp_path / "log", limits)
    read(state, [end(at)])
    assert state.rows["answers"] == 1_000
    assert state.drops["features_full"] == 200
    read(state, [end(at + 2 * limits.answer_window_s)])
    assert state.rows["answers"] == 0


def test_a_file_that_is_none_costs_its_answers_and_nothing_else(
    catalogue: Catalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "log"
    write_log(folder, [answer("u1", 1, START_S, F_YOUNG_XIAN)]).close()
    (folder / "features-other.features").write_bytes(b"something else entirely")
    stamp(folder)
    state = state_of(catalogue, tmp_path / "state", folder)
    samples = read(state, [shown("u1", 1, START_S, START_S), end(START_S + 60)])
    read(state, [end(START_S + 61)])
    assert samples.regions.all()
    assert caplog.text.count("features-other.features") == 2, "named once, in prefix and message"


@settings(max_examples=8, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0, 1, 30, 61, 4_000]), min_size=1, max_size=25),
    cuts=st.lists(st.integers(0, 90), max_size=6),
    unlogged=st.sets(st.integers(0, 24)),
)
def test_the_state_is_the_same_however_both_logs_are_read(
    catalogue: Catalogue, folders: Iterator[Path], gaps: list[int], cuts: list[int], unlogged: set[int]
) -> None:
    at, events, pages = START_S, [], []
    for number, gap in enumerate(gaps):
        at += gap
        user = f"u{number % 3}"
        pages.append(answer(user, number, at, F_YOUNG_XIAN if number % 2 else M_OF_ANY_AGE))
        events += [
            shown(user, number, at, at + 1, ITEMS[number % 4]),
            clicked(user, number, at, at + 2, ITEMS[number % 4]),
        ]
    events.append(end(at + 60))
    logged = [page for number, page in enumerate(pages) if number not in unlogged]
    full = next(folders)
    full.mkdir()
    # Small files, as of several replicas.
    write_log(full, logged, file_bytes=2**12).close()
    whole = state_of(catalogue, next(folders), full)
    read(whole, events)
    growing = next(folders)
    growing.mkdir()
    log = write_log(growing, [])
    parts = state_of(catalogue, next(folders), growing)
    bounds = sorted({0, len(events), *(min(cut, len(events)) for cut in cuts)})
    written = 0
    for low, high in itertools.pairwise(bounds):
        # What was answered before the last of these events is in the log by then.
        until = events[high - 1].arrived_ms // 1_000
        for page in [page for page in logged[written:] if page.ts <= until]:
            log.write(encode(page))
            written += 1
        stamp(growing)
        parts.read(numbered(events)[low:high], SCENES)
        kept = parts.exported()
        parts = state_of(catalogue, next(folders), growing)
        parts.load(*kept)
    log.close()
    assert parts.digest() == whole.digest()


def test_an_item_that_the_logged_answer_lacks_has_no_row(
    catalogue: Catalogue, one_store: StateStore, tmp_path: Path
) -> None:
    whole = answer("u1", 1, START_S, F_YOUNG_XIAN)
    two = {name: getattr(whole, name)[:2] for name in ("item_ids", "scores", "recall_scores", "channels")}
    write_log(tmp_path / "log", [replace(whole, **two)]).close()
    seen = [shown("u1", 1, START_S, START_S, item) for item in ITEMS]
    append(one_store, [*seen, end(START_S + SETTINGS.label_wait_s + 1)])
    (tmp_path / "scratch").mkdir()
    answers = LoggedAnswers.of(tmp_path / "log")
    rows = LabelledRows(SETTINGS, CODEC, catalogue, answers, tmp_path / "scratch")
    made = [part for part in rows.read(one_store, SCENES) if part]
    assert tuple(item for part in made for item in part["item_id"]) == tuple(ITEMS[:2])
    assert rows.dropped["features_item"] == len(ITEMS) - 2
