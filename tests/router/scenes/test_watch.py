"""Edits of the scene file while it serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from router.scenes.load import KnownNames, Scenes, load_scenes, read_scenes
from router.scenes.problems import SettingsError
from router.scenes.watch import SceneWatch, watch_scenes

GOOD = "scenes: {home: {candidates: 100}}"
BETTER = "scenes: {home: {candidates: 222}}"
BAD = "scenes: {home: {candidates: none}}"


class Watched:
    """A scene file under watch, and what the watch called back."""

    def __init__(self, folder: Path, accept: Callable[[Scenes], None] = lambda scenes: None) -> None:
        self.path = folder / "scenes.yaml"
        self.path.write_text(GOOD)
        self.changes: list[int] = []
        self.refusals: list[str] = []
        self.accept = accept
        self.watch = SceneWatch(
            self.path,
            lambda content: read_scenes(content, "scenes.yaml", KnownNames(("hot",))),
            load_scenes(self.path, KnownNames(("hot",))),
            self.changed,
            self.refusals.append,
        )

    def changed(self, scenes: Scenes) -> None:
        self.accept(scenes)
        self.changes.append(scenes["home"].candidates)

    def look(self, times: int = 2) -> None:
        for _ in range(times):
            self.watch.look()

    @property
    def candidates(self) -> int:
        return self.watch.scenes["home"].candidates


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_an_untouched_file_changes_nothing(watched: Watched) -> None:
    watched.look(5)
    assert (watched.changes, watched.refusals, watched.watch.status.refused) == ([], [], None)


def test_a_good_edit_serves_once_it_has_settled(watched: Watched) -> None:
    watched.look()
    watched.path.write_text(BETTER)
    watched.look(1)
    assert watched.changes == []
    watched.look(3)
    assert watched.changes == [222]
    assert watched.candidates == 222
    assert watched.watch.status.digest == watched.watch.scenes.digest


def test_a_bad_edit_is_refused_by_name_once_and_the_old_serves(watched: Watched) -> None:
    watched.path.write_text(BAD)
    watched.look(5)
    assert watched.changes == []
    assert watched.candidates == 100
    assert len(watched.refusals) == 1
    assert "scenes.home.candidates" in watched.refusals[0]
    assert watched.watch.status.refused == watched.refusals[0]
    watched.path.write_text(BETTER)
    watched.look()
    assert watched.changes == [222]
    assert watched.watch.status.refused is None


def test_going_back_to_what_serves_clears_the_refusal(watched: Watched) -> None:
    watched.path.write_text(BAD)
    watched.look()
    watched.path.write_text(GOOD)
    watched.look()
    assert watched.watch.status.refused is None
    assert watched.changes == []


def test_a_file_replaced_by_rename_with_old_times_is_seen(watched: Watched) -> None:
    watched.look()
    times = watched.path.stat()
    other = watched.path.with_suffix(".new")
    other.write_text(BETTER)
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(watched.path)
    watched.look()
    assert watched.changes == [222]


def test_a_swapped_symbolic_link_is_seen(watched: Watched) -> None:
    target = watched.path.with_name("release-2.yaml")
    target.write_text(BETTER)
    link = watched.path.with_suffix(".link")
    link.symlink_to(target)
    link.replace(watched.path)
    watched.look()
    assert watched.changes == [222]


def test_a_file_still_being_written_is_left_alone(watched: Watched) -> None:
    text = "scenes:\n  home: {candidates: 222}\n  cart: {candidates: 50}\n"
    for length in range(0, len(text), 7):
        watched.path.write_text(text[:length])
        watched.look(1)
    assert (watched.changes, watched.refusals) == ([], [])
    watched.path.write_text(text)
    watched.look()
    assert watched.changes == [222]
    assert list(watched.watch.scenes) == ["home", "cart"]


def test_an_emptied_file_is_refused(watched: Watched) -> None:
    watched.path.write_text("")
    watched.look()
    assert watched.candidates == 100
    assert "scenes is expected" in watched.refusals[0]


def test_a_deleted_file_is_refused_and_may_come_back(watched: Watched) -> None:
    watched.look()
    watched.path.unlink()
    watched.look(4)
    assert watched.candidates == 100
    assert len(watched.refusals) == 1
    assert "No such file" in watched.refusals[0]
    watched.path.write_text(BETTER)
    watched.look()
    assert watched.changes == [222]
    assert watched.watch.status.refused is None


def test_scenes_that_cannot_be_assembled_are_refused(tmp_path: Path) -> None:
    def refuse(scenes: Scenes) -> None:
        raise SettingsError("scenes.yaml", ["scenes.home.ranking.model: not live"])

    watched = Watched(tmp_path, refuse)
    watched.path.write_text(BETTER)
    watched.look(4)
    assert watched.candidates == 100
    assert len(watched.refusals) == 1
    assert "not live" in watched.refusals[0]


def test_a_bug_while_taking_up_leaves_the_old_and_is_raised(tmp_path: Path) -> None:
    def stumble(scenes: Scenes) -> None:
        raise KeyError("typo")

    watched = Watched(tmp_path, stumble)
    watched.path.write_text(BETTER)
    with pytest.raises(KeyError):
        watched.look()
    assert watched.candidates == 100
    assert "KeyError" in str(watched.watch.status.refused)


async def test_the_loop_takes_up_an_edit_and_survives_a_bug(tmp_path: Path) -> None:
    taken = asyncio.Event()

    def accept(scenes: Scenes) -> None:
        if scenes["home"].candidates == 1:
            raise KeyError("typo")
        taken.set()

    watched = Watched(tmp_path, accept)
    task = asyncio.create_task(watch_scenes(watched.watch, 0.001))
    try:
        watched.path.write_text("scenes: {home: {candidates: 1}}")
        while watched.watch.status.refused is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        watched.path.write_text(BETTER)
        await asyncio.wait_for(taken.wait(), 30)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert watched.candidates == 222
