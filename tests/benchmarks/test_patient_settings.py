"""Benchmarks of the whole service serve the project's own `home`, but for its time limits."""

from __future__ import annotations

from pathlib import Path

from benchmarks.patient_settings import CANDIDATES, PATIENCE_MS, SCENE, patient_settings
from recall.registry import CHANNELS
from router.scenes.load import KnownNames, load_scenes
from router.scenes.settings import SceneSettings
from shopfront.settings import Settings, load_settings
from shopfront.workspace import DEFAULT_FILE, Workspace


def test_home_is_what_the_project_serves(tmp_path: Path) -> None:
    own = load_settings(DEFAULT_FILE, Workspace(tmp_path))
    patient = patient_settings(own, tmp_path, "grpc")
    served, measured = _home(own), _home(patient)
    assert list(measured.ranking.scorers) == list(served.ranking.scorers)
    assert measured.ranking.merge == served.ranking.merge
    # Both act in the order in which they are written.
    assert list(measured.rerank.items()) == list(served.rerank.items())
    assert list(measured.filters.items()) == list(served.filters.items())
    assert [(name, channel.share, channel.k) for name, channel in measured.channels.items()] == [
        (name, channel.share, channel.k) for name, channel in served.channels.items()
    ]
    assert (measured.fusion, measured.page, measured.backfill) == (
        served.fusion,
        served.page,
        served.backfill,
    )


def test_nothing_is_cut_short_and_nothing_is_kept(tmp_path: Path) -> None:
    patient = patient_settings(load_settings(DEFAULT_FILE, Workspace(tmp_path)), tmp_path, "grpc")
    home = _home(patient)
    assert home.candidates == CANDIDATES
    assert {channel.timeout_ms for channel in home.channels.values()} == {PATIENCE_MS}
    assert home.ranking.timeout_ms == home.deadline.budget_ms == PATIENCE_MS
    assert {scorer.timeout_ms for scorer in home.ranking.scorers.values()} == {None}
    assert patient.router.ranking.answers_kept == 0
    assert patient.router.ingress.kind == "grpc"


def test_a_scorer_of_its_own_patience_waits_like_the_others(tmp_path: Path) -> None:
    own = load_settings(DEFAULT_FILE, Workspace(tmp_path))
    scenes = tmp_path / "own.yaml"
    scenes.write_text(own.router.scenes.read_text().replace("triton: {}", "triton: {timeout_ms: 5.0}"))
    own = own.model_copy(update={"router": own.router.model_copy(update={"scenes": scenes})})
    assert _home(own).ranking.scorers["triton"].timeout_ms == 5.0
    assert _home(patient_settings(own, tmp_path, "grpc")).ranking.scorers["triton"].timeout_ms is None


def _home(settings: Settings) -> SceneSettings:
    return load_scenes(settings.router.scenes, KnownNames(CHANNELS))[SCENE]
