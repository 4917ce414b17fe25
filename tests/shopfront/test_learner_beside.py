"""When a learner is started beside a router."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.settings import RouterSettings
from shopfront import learner_beside
from shopfront.learner_beside import LearnerBeside, reads_the_learner

PLAIN = """
scenes:
  home:
    channels:
      hot: {share: 1.0, timeout_ms: 20.0}
"""
LIVE = PLAIN + "    ranking: {scorers: {triton: {}, live: {}}, merge: {first: {}}}\n"
RATED = (
    PLAIN
    + "    ranking: {scorers: {triton: {}, satisfaction: {}}, "
    + "merge: {weighted_sum: {weights: {triton.score: 1.0, satisfaction.score: 0.3}}}}\n"
)
ARM = """
layers:
  ranking:
    experiments:
      fresh:
        scenes: [home]
        arms:
          control: {share_bp: 5000}
          fresh:
            share_bp: 5000
            patch: {ranking: {scorers: {triton: {}, online: {}}, merge: {first: {}}}}
"""


class Watched:
    """In the place of the process."""

    running = 0

    def __init__(self, *arguments: object, **more: object) -> None:
        pass

    def start(self) -> None:
        Watched.running += 1

    def stop(self) -> None:
        Watched.running -= 1


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(learner_beside, "WatchedProcess", Watched)
    yield
    assert Watched.running == 0


def settings_of(folder: Path, scenes: str, enabled: object = "auto") -> RouterSettings:
    (folder / "scenes.yaml").write_text(scenes)
    return RouterSettings(
        scenes=folder / "scenes.yaml",
        experiments=folder / "experiments.yaml",
        learning={"enabled": enabled},
    )


@pytest.mark.parametrize(
    ("enabled", "scenes", "starts"),
    [("auto", PLAIN, 0), ("auto", LIVE, 1), ("auto", RATED, 1), (True, PLAIN, 1), (False, LIVE, 0)],
)
def test_it_starts_where_it_is_set_or_a_scene_reads_it(
    tmp_path: Path, enabled: object, scenes: str, starts: int
) -> None:
    learner = LearnerBeside(settings_of(tmp_path, scenes, enabled), [], tmp_path, pytest.fail)
    learner.look()
    learner.look()
    assert Watched.running == learner.is_started == starts
    learner.stop()
    learner.look()


def test_it_begins_when_a_scene_comes_to_read_it(tmp_path: Path) -> None:
    lines: list[str] = []
    learner = LearnerBeside(settings_of(tmp_path, PLAIN), [], tmp_path, lines.append)
    learner.look()
    (tmp_path / "scenes.yaml").write_text("scenes: {home: {chan")
    learner.look()
    assert not learner.is_started
    (tmp_path / "scenes.yaml").write_text(LIVE)
    learner.look()
    assert learner.is_started
    # It stays: what it has counted is of use as soon as a scene reads it again.
    (tmp_path / "scenes.yaml").write_text(PLAIN)
    learner.look()
    assert learner.is_started
    assert lines == ["the learner begins: the scenes read what it publishes"]
    learner.stop()


def test_an_arm_of_an_experiment_needs_it_too(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, PLAIN)
    assert not reads_the_learner(settings)
    (tmp_path / "experiments.yaml").write_text(ARM)
    assert reads_the_learner(settings)
