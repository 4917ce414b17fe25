"""A damaged snapshot is found, by schedule, by size or by a bug, and the newest intact one serves instead."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recall.build import RECALL_FOLDER
from router.engine.engine import Engine
from router.engine.settings import SnapshotWatchSettings
from router.engine.snapshot_verification import Pace, SnapshotVerification
from router.engine.warm_up import warm_up
from tests.router.engine.conftest import Watched
from tests.router.engine.test_snapshot_watch import damage

pytestmark = pytest.mark.slow


@dataclass
class Verified:
    """A verification over a watched engine, and what it reported."""

    watched: Watched
    verification: SnapshotVerification
    reported: list[tuple[str, str]] = field(default_factory=list)
    now: list[float] = field(default_factory=lambda: [0.0])

    @property
    def serving(self) -> str:
        """Id of the snapshot in service."""
        return self.watched.live.current.snapshot_id

    def file(self, id: str = "") -> Path:
        """A file of a snapshot, by default of the one in service."""
        folder = self.watched.shop.snapshots.root / (id or self.serving) / RECALL_FOLDER / "hot"
        return min(folder.glob("*.npy"))


@pytest.fixture
def verified(watched: Watched) -> Verified:
    return with_settings(watched)


def with_settings(watched: Watched, **settings: float) -> Verified:
    """A verification with these settings."""
    now, reported = [0.0], list[tuple[str, str]]()

    def report(outcome: str, engine: Engine) -> None:
        reported.append((outcome, engine.snapshot_id))

    verification = SnapshotVerification(
        watched.shop.snapshots,
        watched.live,
        watched.watch,
        warm_up,
        watched.triton,
        SnapshotWatchSettings(poll_interval_s=0.01, **settings),
        report,
        lambda: now[0],
    )
    return Verified(watched, verification, reported, now)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what a running verification does."""
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Texts of the lines logged as errors."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


async def published_after(verified: Verified, seed: int = 2) -> tuple[str, str]:
    """A second snapshot in service; ids of the first and of the second."""
    first = verified.serving
    second = verified.watched.shop.publish(seed=seed)
    assert await verified.watched.watch.look() == "loaded"
    return first, second


async def test_an_intact_snapshot_stays(verified: Verified) -> None:
    _, second = await published_after(verified)
    assert await verified.verification.verify() == "intact"
    assert verified.serving == second
    assert verified.reported == [("intact", second)]
    assert verified.verification.damage == ""


async def test_the_newest_intact_one_takes_over_from_a_damaged_one(
    verified: Verified, caplog: pytest.LogCaptureFixture
) -> None:
    oldest, older = await published_after(verified)
    _, current = await published_after(verified, seed=3)
    damage(verified.file())
    assert await verified.verification.verify(paced=True) == "fallback"
    assert verified.serving == older != oldest
    assert verified.verification.damage == ""
    (line,) = errors(caplog)
    assert f"snapshot {current} is damaged: {RECALL_FOLDER}/hot/" in line
    assert f"snapshot {older} serves instead" in line
    # The published one is not loaded again.
    assert await verified.watched.watch.look() == "unchanged"
    assert await verified.verification.verify() == "intact"
    assert verified.serving == older
    damage(verified.file())
    assert await verified.verification.verify() == "fallback"
    assert verified.serving == oldest
    # A new one serves as ever.
    newest = verified.watched.shop.publish(seed=4)
    assert await verified.watched.watch.look() == "loaded"
    assert verified.serving == newest


async def test_one_whose_models_are_on_triton_is_preferred(verified: Verified) -> None:
    with_models = verified.serving
    newer = verified.watched.shop.publish(models={"bst": 7, "mind": 1}, seed=2)
    assert await verified.watched.watch.look() == "loaded"
    _, current = await published_after(verified, seed=3)
    verified.watched.triton.absent = {"bst 7"}
    damage(verified.file())
    assert await verified.verification.verify() == "fallback"
    assert verified.serving == with_models
    # Without the ranking model it answers degraded, which is better than INTERNAL.
    damage(verified.file())
    assert await verified.verification.verify() == "fallback"
    assert verified.serving == newer != current


async def test_without_an_intact_one_the_damage_is_known_and_told_once(
    verified: Verified, caplog: pytest.LogCaptureFixture
) -> None:
    only = verified.serving
    intact = verified.file().read_bytes()
    damage(verified.file())
    assert [await verified.verification.verify() for _ in range(2)] == ["damaged", "damaged"]
    assert verified.serving == only
    assert "checksum" in verified.verification.damage
    (line,) = errors(caplog)
    assert "NOT_SERVING" in line
    assert "shopfront build" in line
    verified.file().write_bytes(intact)
    assert await verified.verification.verify() == "intact"
    assert verified.verification.damage == ""


async def test_a_published_one_that_was_put_right_serves_again(verified: Verified) -> None:
    _, current = await published_after(verified)
    file, intact = verified.file(), verified.file().read_bytes()
    damage(file)
    assert await verified.verification.verify() == "fallback"
    file.write_bytes(intact)
    assert await verified.watched.watch.look() == "unchanged"
    assert await verified.verification.verify() == "intact"
    assert await verified.watched.watch.look() == "loaded"
    assert verified.serving == current


@pytest.mark.parametrize("vanish", [Path.unlink, lambda file: file.chmod(0o600) or file.write_bytes(b"")])
async def test_a_file_that_is_gone_or_shorter_is_seen_at_the_next_look(
    watched: Watched, vanish: Callable[[Path], object]
) -> None:
    verified = with_settings(watched, verify_interval_s=1e9)
    first, _ = await published_after(verified)
    running = asyncio.create_task(verified.verification.run())
    vanish(verified.file())
    await until(lambda: verified.serving == first)
    running.cancel()


async def test_the_schedule_finds_what_no_size_shows(watched: Watched) -> None:
    verified = with_settings(watched, verify_interval_s=0.05)
    first, _ = await published_after(verified)
    damage(verified.file())
    running = asyncio.create_task(verified.verification.run())
    await asyncio.sleep(0.05)
    assert verified.serving != first
    verified.now[0] = 0.06
    await until(lambda: verified.serving == first)
    running.cancel()


async def test_a_bug_has_it_verified_at_once_but_not_each_one(watched: Watched) -> None:
    verified = with_settings(watched, verify_interval_s=1e9, verify_after_bug_s=10.0)
    first, _ = await published_after(verified)
    running = asyncio.create_task(verified.verification.run())
    verified.verification.suspect(IndexError("index 9 is out of bounds"))
    await until(lambda: [outcome for outcome, _ in verified.reported] == ["intact"])
    damage(verified.file())
    verified.now[0] = 9.0
    verified.verification.suspect(IndexError("again"))
    await asyncio.sleep(0.1)
    assert len(verified.reported) == 1, "bugs that follow each other are not each the cause of a verification"
    verified.now[0] = 10.0
    verified.verification.suspect(IndexError("and again"))
    await until(lambda: verified.serving == first)
    running.cancel()


async def test_a_snapshot_that_vanishes_whole_is_replaced(verified: Verified) -> None:
    first, current = await published_after(verified)
    shutil.rmtree(verified.watched.shop.snapshots.root / current)
    assert await verified.verification.verify() == "fallback"
    assert verified.serving == first


def test_reading_is_paced() -> None:
    now, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(100.0, lambda: now[0], sleep)
    for _ in range(5):
        pace(20)
    assert now[0] == pytest.approx(1.0)
    # Time that passed otherwise is not caught up on.
    now[0] = 100.0
    pace(20)
    assert slept[-1] == pytest.approx(0.2)
