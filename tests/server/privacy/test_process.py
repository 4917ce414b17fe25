"""What a replica does about deletions beside answering: it forgets pages, and resumes what was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from foundation.storage.errors import StorageUnavailable
from inspection.recent_pages import KeptPage, RecentPages
from router.service.settings import RequestLogSettings
from server.ingress.sessions import command_of
from server.privacy.places import Places
from server.privacy.process import PrivacyWorkers, follow_erasures
from server.recording.settings import RecordingSettings
from snapshot.tombstones import Tombstones, tombstone, user_hash
from state import StateSettings, open_state
from state.feature_log.settings import FeatureLogSettings
from tests.recall.small_shop import make_catalogue
from tests.state.batches import batch

NOW_S = 1_700_000_000


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(
        state=StateSettings(url=f"lmdb://{tmp_path / 'state'}"),
        feature_log=FeatureLogSettings(folder=tmp_path / "features"),
        recording=RecordingSettings(folder=tmp_path / "recordings"),
        request_log=RequestLogSettings(folder=tmp_path / "logs"),
        snapshots=tmp_path / "snapshots",
        learning=tmp_path / "learning",
    )


def kept_pages(*pages: tuple[str, int]) -> RecentPages:
    recent = RecentPages(10)
    for user, at in pages:
        recent._pages.append(KeptPage(user, "home", at, "r", np.array([1], np.uint64), ("", ""), {}, 1.0, ()))
    return recent


def users_of(recent: RecentPages, tmp_path: Path) -> list[str]:
    return [page.user_id for page in recent.listed(make_catalogue(tmp_path, [1]), 10).pages]


def test_pages_of_before_a_deletion_are_forgotten(tmp_path: Path) -> None:
    salt = b"0" * 16
    stones = Tombstones(salt, {tombstone(salt, user_hash("u")): NOW_S * 1_000}, 1)
    recent = kept_pages(("u", NOW_S), ("v", NOW_S - 9), ("", NOW_S), ("u", NOW_S + 1))
    recent.forget(stones)
    assert users_of(recent, tmp_path) == ["v", "", "u"]


@pytest.mark.slow
async def test_a_replica_forgets_pages_and_resumes_a_deletion_that_was_killed(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.privacy.process._LOOKED_EVERY_S", 0.1)
    store = open_state(places.state)
    now_s = int(time.time()) - 5
    await store.append(batch(("u", "hers", 2, now_s), ("v", "his", 2, now_s)))
    # What a deletion leaves that was killed after its first step.
    store.erase("u")
    recent = kept_pages(("u", now_s), ("v", now_s))
    following = asyncio.create_task(follow_erasures(store, recent, PrivacyWorkers(places), draw=lambda: 0.0))
    try:
        deadline = time.monotonic() + 60
        while store.unfinished_erasures() or store.compaction_due():
            assert time.monotonic() < deadline
            assert not following.done()
            await asyncio.sleep(0.1)
        assert users_of(recent, tmp_path) == ["v"]
        assert b"hers" not in (tmp_path / "state" / "data.mdb").read_bytes()
        assert [event.item_id for _, event in store.read_log()] == ["his"]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await asyncio.to_thread(store.close)


def kill_the_worker(wait_for: Callable[[], bool]) -> None:
    """Kills the worker that this process has started, none of a router of its, once it is there."""
    while not wait_for():
        for child in psutil.Process().children():
            if "server.privacy.worker" in command_of(child):
                os.kill(child.pid, signal.SIGKILL)
                return
        time.sleep(0.005)


@pytest.mark.slow
async def test_a_worker_that_dies_and_a_store_that_does_not_answer_are_told(
    places: Places, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("no folder")
    workers = PrivacyWorkers(places)
    with pytest.raises(StorageUnavailable, match="user state"):
        await workers.delete("u", compact=True)
    (tmp_path / "state").unlink()
    calling = asyncio.create_task(workers.delete("u", compact=True))
    await asyncio.to_thread(kill_the_worker, calling.done)
    with pytest.raises(StorageUnavailable, match="SIGKILL; call again, "):
        await calling
    report = await workers.delete("u", compact=True)
    assert not report.found
    assert (await workers.finish()).pending == []
