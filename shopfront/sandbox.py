"""The sandbox test of a workspace: its published snapshot, recordings, feature log and event log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.loaded_models import load_models, services
from evaluation.sandbox.logged_draws import LoggedDraws, read_draws
from evaluation.sandbox.recorded_pages import RecordedPages, pages_of
from evaluation.sandbox.replay import Contender
from evaluation.served_scene import InProcessScorer, unhurried
from experiments.configuration import experiments_content
from experiments.load import read_experiments
from foundation.statistics.off_policy import NoPropensities
from foundation.telemetry.logs.user_ids import UserIds
from foundation.verdicts.verdict import Subject
from loadtest.errors import LoadTestError
from loadtest.recording import read_recording
from models.contracts import contracts, network_of
from pipeline.metrics import NoMetrics
from recall.registry import CHANNELS
from router.engine.engine import Engine, EngineBuilder
from router.scenes.load import KnownNames, Scenes, load_scenes, read_patched
from router.scenes.problems import SettingsError
from shopfront.build_steps import built
from shopfront.command_end import Refused
from shopfront.evaluation import limit_threads
from shopfront.settings import Settings
from shopfront.workspace import Workspace
from snapshot.dataset import DatasetStore
from snapshot.store import SnapshotStore
from state.feature_log.log_file import FeatureLogError
from state.feature_log.read_log import read_feature_log
from state.store import StateStore
from triton_repo.repository import ModelRepository


@dataclass(frozen=True)
class Sandbox:
    """The present engine of a workspace, and what makes engines that differ from it.

    versions  model → version that the published snapshot names
    """

    workspace: Workspace
    settings: Settings
    builder: EngineBuilder
    present: Contender
    versions: Mapping[str, int]

    @classmethod
    def open(cls, workspace: Workspace, settings: Settings, store: StateStore) -> Sandbox:
        """Opens the published snapshot with the checkpoints of its model versions, and the present scenes.

        Experiments are left out: everybody is shown the scenes themselves.

        Raises:
            Refused: nothing is published.
            CheckpointError, RepositoryError, SnapshotError, SettingsError: it cannot be opened.
        """
        limit_threads(settings)
        if SnapshotStore(workspace.snapshots).current_id() is None:
            raise Refused(f"{workspace.root} has no published snapshot: run shopfront build first")
        made = built(workspace)
        snapshot = SnapshotStore(workspace.snapshots).open(made.snapshot, verify=False)
        repository = ModelRepository(workspace.triton)
        models = load_models(
            {
                network_of(model): _checkpoint(workspace, repository, model, version)
                for model, version in made.versions.items()
            },
            made.dataset,
        )
        builder = EngineBuilder(
            settings.router.recall,
            services(models),
            {
                name: InProcessScorer(models[network_of(name)])
                for name in contracts()
                if network_of(name) in models
            },
            NoMetrics(),
            tables=settings.router.tables,
        )
        scenes = load_scenes(settings.router.scenes, KnownNames(CHANNELS))
        engine = builder.build(
            snapshot,
            replace(scenes, by_name={name: unhurried(scene) for name, scene in scenes.by_name.items()}),
        )
        return cls(workspace, settings, builder, Contender(engine, store), made.versions)

    @property
    def engine(self) -> Engine:
        """The present engine."""
        return self.present.engine

    def patched(self, scene: str, patch: Mapping[str, Any]) -> tuple[Subject, Contender]:
        """One scene changed by a JSON Merge Patch. Raises Refused, and SettingsError where it is wrong."""
        scenes = self._scene(scene)
        found: list[str] = []
        settings = read_patched(scenes.raw[scene], patch, ("patch",), KnownNames(CHANNELS), found)
        if settings is None:
            raise SettingsError("the patch", found)
        changed = replace(scenes, by_name={**scenes.by_name, scene: unhurried(settings)})
        engine = self.builder.with_scenes(self.engine, changed)
        return Subject("scene", scene=scene, patch=dict(patch)), Contender(engine, self.present.store)

    def of_experiment(self, name: str) -> list[tuple[str, str, Mapping[str, Any]]]:
        """Scene, arm and patch of each arm that changes something. Raises Refused and SettingsError."""
        path = self.settings.router.experiments
        file = read_experiments(experiments_content(path), str(path))
        experiment = file.experiment(name)
        if experiment is None:
            raise Refused(f"{path} has no experiment {name}")
        return [
            (scene, arm, settings.patch)
            for scene in experiment.scenes or list(self.engine.scenes)
            for arm, settings in experiment.arms.items()
            if settings.patch
        ]

    def version(self, version: int) -> tuple[Subject, Contender]:
        """Another version of the ranking model, by the checkpoint that it was exported from.

        Raises Refused where it was trained on another data set or serves already, and CheckpointError and
        RepositoryError where it cannot be read.
        """
        model = self.settings.router.ranking.model
        if self.versions.get(model) == version:
            raise Refused(f"version {version} of {model} is the one that the published snapshot names")
        repository = ModelRepository(self.workspace.triton)
        dataset = built(self.workspace).dataset
        network = network_of(model)
        checkpoint = _checkpoint(self.workspace, repository, model, version)
        candidate = load_models({network: checkpoint}, dataset)[network]
        scorers = {
            name: InProcessScorer(candidate) if network_of(name) == network else scorer
            for name, scorer in self.builder.scorers.items()
        }
        engine = replace(self.builder, scorers=scorers).with_scenes(self.engine, self.engine.configured)
        return (
            Subject("model", model=model, version=version, checkpoint=checkpoint.name),
            Contender(engine, self.present.store),
        )

    def recorded(self, folder: Path | None, scenes: list[str]) -> RecordedPages:
        """Recorded pages of these scenes; `folder`: None = where the router records. Raises Refused."""
        for scene in scenes:
            self._scene(scene)
        recording = self.settings.router.recording
        place = folder or recording.folder
        try:
            requests = read_recording(str(place))
        except LoadTestError as error:
            raise Refused(
                f"{str(error).removeprefix('--replay: ')}; record requests (recording.enabled), or name a "
                "recording with --requests"
            ) from error
        shoppers = DatasetStore(self.workspace.datasets).open(built(self.workspace).dataset, verify=False)
        ids = shoppers.users()["user_id"].to_list()
        pseudonyms = UserIds(recording.salt) if recording.salt else None
        known = {user_id: user_id for user_id in ids}
        if pseudonyms is not None:
            known |= {pseudonyms(user_id): user_id for user_id in ids}
        return pages_of(
            requests, self.engine.scenes, scenes, known.get, self.settings.evaluation.sandbox.pages
        )

    def draws(self, scene: str) -> LoggedDraws:
        """Logged draws of a scene. Raises Refused where none has a known probability, or none was seen."""
        folder = self.settings.router.feature_log.folder
        try:
            return read_draws(
                read_feature_log(folder),
                self.present.store.read_log(),
                scene,
                self.settings.evaluation.sandbox.draws,
            )
        except NoPropensities as error:
            raise Refused(f"{folder}: {error}") from error
        except FeatureLogError as error:
            raise Refused(str(error)) from error

    def _scene(self, scene: str) -> Scenes:
        if scene not in self.engine.scenes:
            raise Refused(
                f"no scene {scene} is configured; name one of {', '.join(self.engine.scenes)}, or add it to "
                f"{self.settings.router.scenes}"
            )
        return self.engine.configured


def _checkpoint(workspace: Workspace, repository: ModelRepository, model: str, version: int) -> Path:
    """Folder of the checkpoint that a version was exported from."""
    return workspace.checkpoints / network_of(model) / repository.manifest(model, version).checkpoint
