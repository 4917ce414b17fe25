"""The feature log reads back what was written, keeps its bounds, and never holds up an answer."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foundation.telemetry.logs.user_ids import UserIds
from pipeline.stages import Model
from router.feature_log.feature_log import FeatureLog
from router.service.impressions import ShownPage
from snapshot.item_keys import item_keys
from state.feature_log.log_file import MAGIC, FeatureLogError, FeatureLogFile, read_entries
from state.feature_log.log_folder import FeatureLogFolder, files_of
from state.feature_log.logged_page import EntryError, LoggedPage, decode, encode
from state.feature_log.read_log import read_feature_log
from state.feature_log.settings import FeatureLogSettings
from tests.router.ranking.queries import candidates, query

IDS = UserIds("salt")


def chosen(folder: Path, **fields: Any) -> FeatureLogSettings:
    return FeatureLogSettings.model_validate({"folder": folder} | fields)


def shown(count: int = 3, token: str = "token", **fields: Any) -> ShownPage:
    items = candidates(count).with_score(np.linspace(1, 0, count, dtype=np.float32))
    plain: dict[str, Any] = {
        "items": items.with_columns({"triton.score": items.score}),
        "channel_names": ("hot", "mind"),
        "model": Model("bst", "4"),
        "snapshot_id": "s1",
        "propensities": np.array([0.25] + [np.nan] * (count - 1)),
        "log_features": True,
    }
    ids = [f"i{n}" for n in range(count)]
    return ShownPage("home", ids, item_keys(ids), 1_700_000_000, "r1", token, **(plain | fields))


def page_of(ids: int, values: int) -> LoggedPage:
    """A page of `ids` item ids and `values` values in each column."""
    return LoggedPage(
        attribution_token="t",
        request_id="r",
        scene="s",
        user="u",
        ts=1,
        snapshot_id="i",
        model_name="m",
        model_version="1",
        arms={},
        channel_names=["a"],
        history_length=0,
        profile_codes=np.zeros(4, np.int32),
        context_codes=np.zeros(3, np.int32),
        item_ids=["a"] * ids,
        scores=np.zeros(values, np.float32),
        recall_scores=np.zeros(values, np.float32),
        channels=np.zeros(values, np.uint32),
    )


COUNT = st.shared(st.integers(0, 9), key="count")
TEXT = st.text(max_size=12)


def column(dtype: str) -> st.SearchStrategy[np.ndarray]:
    return COUNT.flatmap(lambda count: arrays(np.dtype(dtype), count))


PAGES = st.builds(
    LoggedPage,
    attribution_token=TEXT,
    request_id=TEXT,
    scene=TEXT,
    user=TEXT,
    ts=st.integers(0, 2**40),
    snapshot_id=TEXT,
    model_name=TEXT,
    model_version=TEXT,
    arms=st.dictionaries(TEXT, TEXT, max_size=3),
    channel_names=st.lists(TEXT, max_size=4),
    history_length=st.integers(0, 200),
    profile_codes=arrays(np.int32, 4),
    context_codes=arrays(np.int32, 3),
    item_ids=COUNT.flatmap(lambda count: st.lists(TEXT, min_size=count, max_size=count)),
    scores=column("float32"),
    recall_scores=column("float32"),
    channels=column("uint32"),
    columns=st.dictionaries(TEXT, column("float32"), max_size=3),
    propensities=st.none() | column("float64"),
)


def same(page: LoggedPage, other: LoggedPage) -> None:
    for name in LoggedPage.__slots__:
        one, two = getattr(page, name), getattr(other, name)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, two)
            assert one.dtype == two.dtype
        elif name == "columns":
            assert list(one) == list(two)
            for key in one:
                np.testing.assert_array_equal(one[key], two[key])
        else:
            assert one == two


@settings(max_examples=100, deadline=None)
@given(page=PAGES)
def test_an_entry_is_read_as_it_was_written(page: LoggedPage) -> None:
    same(decode(encode(page)), page)


@settings(max_examples=50, deadline=None)
@given(pages=st.lists(PAGES, max_size=12), file_bytes=st.integers(4096, 5000))
def test_a_folder_is_read_as_it_was_written_over_all_its_files(
    tmp_path_factory: pytest.TempPathFactory, pages: list[LoggedPage], file_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = FeatureLogFolder(chosen(folder, file_bytes=file_bytes))
    for page in pages:
        assert log.write(encode(page)) == "written"
    log.close()
    # Files of one moment have no order among them.
    read = {encode(page) for page in read_feature_log(folder)}
    assert read == {encode(page) for page in pages}


@settings(max_examples=60, deadline=None)
@given(entries=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), data=st.data())
def test_whatever_tears_the_end_costs_only_entries_from_there_on(
    tmp_path_factory: pytest.TempPathFactory, entries: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("file") / "a.features"
    file = FeatureLogFile(path, 10_000)
    for entry in entries:
        assert file.append(entry)
    file.close()
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    tail = data.draw(st.sampled_from([b"", b"\0" * 64, b"\xff" * 64]))
    path.write_bytes(whole[:at] + tail)
    if at < len(MAGIC) and tail:
        with pytest.raises(FeatureLogError, match="move it out of the folder"):
            list(read_entries(path))
        return
    read = list(read_entries(path))
    assert read == entries[: len(read)]
    ends = np.cumsum([len(MAGIC)] + [8 + len(entry) for entry in entries])
    assert len(read) >= np.count_nonzero(ends <= at) - 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"\x93\x01\x02\x03",
        b"\xc1",
        encode(page_of(1, 1))[:-3],
    ],
)
def test_bytes_that_are_no_entry_are_refused(content: bytes) -> None:
    with pytest.raises(EntryError):
        decode(content)


def test_columns_of_another_length_than_the_items_are_refused() -> None:
    with pytest.raises(EntryError, match="other lengths than its 1 items"):
        decode(encode(page_of(1, 2)))


def test_old_files_make_room_and_one_entry_too_large_is_left_out(tmp_path: Path) -> None:
    log = FeatureLogFolder(chosen(tmp_path, file_bytes=4096, max_bytes=3 * 4096))
    for number in range(200):
        assert log.write(number.to_bytes(4, "little") + os.urandom(400)) == "written"
        assert sum(size for _, size, _ in files_of(tmp_path)) <= 3 * 4096
    assert log.write(b"x" * 5000) == "too_large"
    assert log.write(b"after") == "written"
    log.close()
    kept = [
        int.from_bytes(entry[:4], "little")
        for _, _, path in files_of(tmp_path)
        for entry in read_entries(path)
    ]
    assert set(range(185, 200)) <= set(kept)
    assert not set(range(100)) & set(kept)
    assert all(path.stat().st_mode & 0o777 == 0o600 for _, _, path in files_of(tmp_path))


class Held(FeatureLogFolder):
    """Waits while it is held, and fails where it is told to."""

    def __init__(self, settings: FeatureLogSettings) -> None:
        super().__init__(settings)
        self.free = threading.Event()
        self.free.set()
        self.error: OSError | None = None

    def write(self, entry: bytes) -> Any:
        self.free.wait(20)
        if self.error is not None:
            raise self.error
        return super().write(entry)


class Kept:
    """A feature log, what it counted, and its time."""

    def __init__(self, folder: Path, **fields: Any) -> None:
        settings = chosen(folder, **fields)
        self.counts: Counter[str] = Counter()
        self.now = [100.0]
        self.disk = Held(settings)
        self.log = FeatureLog(
            settings, self.disk, IDS, lambda outcome: self.counts.update([outcome]), lambda: self.now[0]
        )

    def until(self, total: int) -> None:
        give_up = time.monotonic() + 20
        while sum(self.counts.values()) < total:
            assert time.monotonic() < give_up, self.counts
            time.sleep(0.002)


async def test_an_answer_is_kept_with_what_its_learner_needs(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    await kept.log.after(query(), shown())
    kept.log.close(10)
    (page,) = read_feature_log(tmp_path)
    assert (page.attribution_token, page.request_id, page.scene) == ("token", "r1", "home")
    assert (page.user, page.ts, page.snapshot_id) == (IDS("u1"), 1_700_000_000, "s1")
    assert (page.model_name, page.model_version) == ("bst", "4")
    assert page.item_ids == ["i0", "i1", "i2"]
    np.testing.assert_array_equal(page.scores, shown().items.score)
    np.testing.assert_array_equal(page.columns["triton.score"], shown().items.score)
    np.testing.assert_array_equal(page.channels, [1, 1, 1])
    assert page.channel_names == ["hot", "mind"]
    np.testing.assert_array_equal(page.propensities, [0.25, np.nan, np.nan])
    assert page.history_length == 3
    np.testing.assert_array_equal(page.profile_codes, query().profile_codes)
    assert kept.counts == {"written": 1}


async def test_no_thread_and_no_file_where_no_scene_switches_it_on(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "none")
    threads = threading.active_count()
    assert kept.log.applies_to(query(), shown())
    assert not kept.log.applies_to(query(), shown(log_features=False))
    assert not kept.log.applies_to(query(), shown(0, propensities=None))
    assert threading.active_count() == threads
    kept.log.close(1)
    assert not (tmp_path / "none").exists()
    assert kept.counts == {}


async def test_what_the_disk_cannot_follow_is_dropped_and_counted(tmp_path: Path) -> None:
    kept = Kept(tmp_path, buffered_answers=5)
    kept.disk.free.clear()
    for _ in range(20):
        await kept.log.after(query(), shown())
    # One more than the queue holds may be in the thread's hands.
    assert kept.counts["dropped"] in (14, 15)
    kept.disk.free.set()
    kept.log.close(10)
    assert kept.counts["written"] + kept.counts["dropped"] == 20
    assert len(list(read_feature_log(tmp_path))) == kept.counts["written"]


async def test_the_queue_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    kept = Kept(tmp_path, buffered_bytes=4096)
    kept.disk.free.clear()
    for _ in range(20):
        await kept.log.after(query(), shown(20, propensities=None))
    assert kept.counts["dropped"] >= 17
    kept.disk.free.set()
    kept.log.close(10)


async def test_a_disk_that_fails_is_reported_once_and_tried_again_after_a_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(tmp_path)
    kept.disk.error = OSError(28, "No space left on device")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await kept.log.after(query(), shown())
        kept.until(3)
        kept.disk.error = None
        await kept.log.after(query(), shown())
        kept.until(4)
        assert kept.counts == {"failed": 4}
        kept.now[0] += 6
        await kept.log.after(query(), shown())
        kept.until(5)
    kept.log.close(10)
    assert kept.counts == {"failed": 4, "written": 1}
    assert [record.message for record in caplog.records if "feature log" in record.message] == [
        f"the feature log cannot be written in {tmp_path}: No space left on device",
        f"the feature log is written again in {tmp_path}",
    ]


async def test_closing_waits_for_the_disk_no_longer_than_it_may(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.disk.free.clear()
    await kept.log.after(query(), shown())
    began = time.monotonic()
    kept.log.close(0.05)
    assert time.monotonic() - began < 5
    await kept.log.after(query(), shown())
    kept.disk.free.set()
    kept.until(1)
    assert sum(kept.counts.values()) == 1, "nothing is taken after closing"


def _write_for_ever(folder: Path, ready: Any) -> None:
    log = FeatureLogFolder(chosen(folder, file_bytes=64 * 1024))
    page = page_of(20, 20)
    for number in range(10**9):
        log.write(encode(page))
        if number == 300:
            ready.set()


@pytest.mark.slow
def test_a_killed_writer_leaves_whole_entries(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        ready = context.Event()
        writer = context.Process(target=_write_for_ever, args=(tmp_path, ready))
        writer.start()
        assert ready.wait(60)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join(20)
    pages = list(read_feature_log(tmp_path))
    assert len(pages) >= 900
    assert all(len(page.item_ids) == 20 for page in pages)


def test_a_foreign_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "features-other.features").write_bytes(b"PAR1 something else")
    with pytest.raises(FeatureLogError, match="move it out of the folder"):
        list(read_feature_log(tmp_path))


def test_settings_that_leave_no_room_are_refused() -> None:
    with pytest.raises(ValueError, match="at least twice file_bytes"):
        FeatureLogSettings(file_bytes=8192, max_bytes=8192)
