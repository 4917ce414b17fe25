"""New snapshots take over while the old one serves; bad ones never do."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from recall.build import RECALL_FOLDER
from router.scenes.problems import SettingsError
from tests.router.engine.conftest import Watched, read

pytestmark = pytest.mark.slow


def damage(file: Path) -> None:
    """Flips one byte in the middle of a sealed file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.chmod(0o644)
    file.write_bytes(content)


async def test_a_published_snapshot_takes_over_once(watched: Watched) -> None:
    assert await watched.watch.look() == "unchanged"
    before = watched.live.current
    new = watched.shop.publish(models={"bst": 2, "mind": 2}, seed=2)
    assert await watched.watch.look() == "loaded"
    assert watched.live.current.snapshot_id == new
    assert watched.live.current.model_versions == {"bst": "2", "mind": "2"}
    assert await watched.watch.look() == "unchanged"
    assert watched.reported == [("loaded", new)]
    # Requests that began on the old engine still can read it, even when its folder is gone.
    watched.shop.snapshots.prune(keep=1)
    assert before.catalogue.titles(np.array([1, 2]))[0]


async def test_a_corrupt_snapshot_is_refused_once_and_the_old_one_serves(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    old = watched.live.current
    bad = watched.shop.publish(seed=2, publish=False)
    damage(next((watched.shop.snapshots.root / bad / RECALL_FOLDER / "hot").glob("*.npy")))
    watched.shop.point_current_at(bad)
    assert await watched.watch.look() == "refused"
    assert await watched.watch.look() == "unchanged"
    assert watched.live.current is old
    assert watched.reported == [("refused", old.snapshot_id)]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert bad in line
    assert "hot" in line
    good = watched.shop.publish(seed=3)
    assert await watched.watch.look() == "loaded"
    assert watched.live.current.snapshot_id == good


async def test_a_link_to_nowhere_is_refused(watched: Watched) -> None:
    old = watched.live.current
    watched.shop.point_current_at("20990101T000000Z-gone")
    assert await watched.watch.look() == "refused"
    assert watched.live.current is old


async def test_a_snapshot_waits_for_its_models(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    old = watched.live.current
    new = watched.shop.publish(models={"bst": 2, "mind": 1}, seed=2)
    watched.triton.absent = {"bst 2"}
    assert await watched.watch.look() == "waiting"
    assert not caplog.records
    watched.now[0] = 31.0
    assert [await watched.watch.look(), await watched.watch.look()] == ["waiting", "waiting"]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "bst 2" in warning
    assert watched.live.current is old
    assert not watched.reported
    watched.triton.absent = set()
    assert await watched.watch.look() == "loaded"
    assert watched.live.current.snapshot_id == new


async def test_a_waiting_snapshot_is_given_up_for_a_newer_one(watched: Watched) -> None:
    watched.triton.absent = {"bst 2"}
    watched.shop.publish(models={"bst": 2}, seed=2)
    assert await watched.watch.look() == "waiting"
    newer = watched.shop.publish(models={"bst": 1}, seed=3)
    assert await watched.watch.look() == "loaded"
    assert watched.live.current.snapshot_id == newer


async def test_a_snapshot_a_stage_fails_on_is_refused(watched: Watched) -> None:
    old = watched.live.current
    watched.shop.publish(seed=2)
    watched.scorer.bug = KeyError("a column that is not there")
    assert await watched.watch.look() == "refused"
    assert watched.live.current is old


async def test_a_snapshot_refused_for_a_scene_serves_once_the_scene_is_mended(watched: Watched) -> None:
    new = watched.shop.publish(seed=2)
    watched.scorer.bug = KeyError("a column that is not there")
    assert [await watched.watch.look() for _ in range(2)] == ["refused", "unchanged"]
    whole = watched.shop.scenes.read_text()
    watched.shop.scenes.write_text(whole.replace("enabled: true, model: bst", "enabled: false, model: bst"))
    watched.live.change_scenes(read(watched.shop))
    assert await watched.watch.look() == "loaded"
    assert watched.live.current.snapshot_id == new


async def test_edited_scenes_serve_from_the_same_snapshot(watched: Watched) -> None:
    before = watched.live.current
    watched.shop.scenes.write_text(watched.shop.scenes.read_text().replace("  cart:", "  basket:"))
    watched.live.change_scenes(read(watched.shop))
    after = watched.live.current
    assert set(after.pipelines) == {"home", "basket", "similar_items"}
    assert after.snapshot is before.snapshot
    assert after.channels is before.channels
    assert set(before.pipelines) == {"home", "cart", "similar_items"}


async def test_scenes_edited_while_a_snapshot_waits_apply_to_it(watched: Watched) -> None:
    watched.triton.absent = {"bst 2"}
    new = watched.shop.publish(models={"bst": 2}, seed=2)
    assert await watched.watch.look() == "waiting"
    watched.shop.scenes.write_text(watched.shop.scenes.read_text().replace("  cart:", "  basket:"))
    watched.live.change_scenes(read(watched.shop))
    watched.triton.absent = set()
    assert await watched.watch.look() == "loaded"
    assert watched.live.current.snapshot_id == new
    assert "basket" in watched.live.current.pipelines


async def test_scenes_that_cannot_serve_change_nothing(watched: Watched) -> None:
    before = watched.live.current
    scenes = read(watched.shop)
    unservable = scenes.by_name["home"].model_copy(
        update={"ranking": scenes.by_name["home"].ranking.model_copy(update={"model": "gone"})}
    )
    broken = type(scenes)({"home": unservable}, scenes.source, "other")
    with pytest.raises(SettingsError):
        watched.live.change_scenes(broken)
    assert watched.live.current is before


async def test_no_configuration_can_drop_the_filter_of_excluded_items(watched: Watched) -> None:
    watched.shop.scenes.write_text(watched.shop.scenes.read_text().replace("    excluded: {}\n", ""))
    watched.live.change_scenes(read(watched.shop))
    for pipeline in watched.live.current.pipelines.values():
        assert pipeline.filters[0].name == "excluded"
