"""The steps of growing a shop: `python -m benchmarks.scale_steps <order.json>` runs one.

They call what `shopfront build` and `shopfront serve` call, one at a time, over a workspace of their own.
Each writes what it measured, and what it made for those after it, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.scale_log import ScaleLog
from benchmarks.scale_measured import PartsProgress, resident_mib, taken
from models.contracts import contracts
from recall.registry import CHANNELS
from shopfront.settings import Settings, configured_tables, load_settings
from shopfront.workspace import DEFAULT_FILE, Workspace
from snapshot.durable_files import write_durably
from snapshot.store import SnapshotStore
from triton_repo.repository import ModelRepository

MODELS = ("mind", "bst")
SCENE = "home"
_LOGGED_AT = datetime(2024, 6, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Order:
    """Which step of which size.

    step: a key of `STEPS`; folder: of this size; training_steps: of each model; requests: of each load.
    """

    step: str
    folder: str
    items: int
    seed: int
    training_steps: int
    requests: int


@dataclass(frozen=True)
class Place:
    """The folder of one size: the shop's files, the workspace, and what steps made."""

    order: Order

    @property
    def folder(self) -> Path:
        """Of this size."""
        return Path(self.order.folder)

    @property
    def data(self) -> Path:
        """The shop's files."""
        return self.folder / "shop"

    @property
    def workspace(self) -> Workspace:
        """What is built of them."""
        return Workspace(self.folder / "workspace")

    def settings(self) -> Settings:
        """The project's own, with training bounded."""
        settings = load_settings(DEFAULT_FILE, self.workspace)
        models = settings.models
        for name in MODELS:
            section = getattr(models, name)
            steps = self.order.training_steps
            training = section.training.model_copy(update={"max_steps": steps, "evaluate_every": steps})
            models = models.model_copy(update={name: section.model_copy(update={"training": training})})
        return settings.model_copy(update={"models": models})

    def result(self, step: str) -> Path:
        """Where a step writes."""
        return self.folder / "steps" / f"{step.replace(' ', '_')}.json"

    def made(self, step: str) -> Any:
        """What a step made; FileNotFoundError where it has not run."""
        return json.loads(self.result(step).read_text())["made"]

    def dataset(self) -> str:
        """The data set's id."""
        return str(self.made("ingest"))

    def checkpoints(self) -> dict[str, Path]:
        """Model → folder of its checkpoint."""
        return {model: self.workspace.checkpoints / model / self.made(f"train {model}") for model in MODELS}

    def versions(self) -> dict[str, int]:
        """Model → version on Triton."""
        return {model: int(self.made(f"export {model}")) for model in MODELS}


Figures = dict[str, float]
StepResult = tuple[Any, Figures]


def _log(place: Place) -> StepResult:
    place.data.mkdir(parents=True, exist_ok=True)
    with taken() as all:
        rows = ScaleLog(place.order.items, place.order.seed).write(place.data)
    sizes = {f"{name} rows": float(count) for name, count in rows.items()}
    return rows, all.written("log") | sizes | {"log mib": _mib(place.data)}


def _ingest(place: Place) -> StepResult:
    from ingest.ingest_folder import ingest_folder

    place.workspace.make()
    settings, progress = place.settings(), PartsProgress(Console())
    with progress.step("ingest: settings") as step, taken() as all:
        dataset = ingest_folder(
            place.data, place.workspace.root, settings.ingest, settings.seed, step.stage, _LOGGED_AT
        )
    return dataset.manifest.id, all.written("ingest") | {"data set mib": _mib(dataset.path)}


def _train(model: str) -> Callable[[Place], StepResult]:
    def run(place: Place) -> StepResult:
        from shopfront.training import train_model
        from snapshot.dataset import DatasetStore

        began, first = time.monotonic(), []

        def progress(step: int, steps: int, loss: float, metrics: dict[str, float]) -> None:
            first.append(time.monotonic())

        with taken() as all:
            trained = train_model(
                model,
                DatasetStore(place.workspace.datasets).open(place.dataset(), verify=False),
                getattr(place.settings().models, model),
                place.workspace.checkpoints,
                progress,
                {},
            )
        steps_s = (first[-2] - first[0]) / (len(first) - 2)
        figures = {
            f"train {model} before seconds": first[0] - began - steps_s,
            f"train {model} step s": steps_s,
        }
        size = {f"checkpoint {model} mib": _mib(place.workspace.checkpoints / model / trained.checkpoint)}
        return trained.checkpoint, all.written(f"train {model}") | figures | size

    return run


def _export(model: str) -> Callable[[Place], StepResult]:
    def run(place: Place) -> StepResult:
        from exporters.checkpoint_export import export
        from snapshot.dataset import DatasetStore

        settings, repository = place.settings(), _repository(place)
        with taken() as all:
            exported = export(
                _checkpoint(place, model),
                DatasetStore(place.workspace.datasets).open(place.dataset(), verify=False),
                repository,
                settings.export,
                seed=settings.seed,
                clock=time.time,
            )
        folder = repository.version_folder(model, exported.version)
        return exported.version, all.written(f"export {model}") | {f"version {model} mib": _mib(folder)}

    return run


def _ranker(place: Place) -> StepResult:
    from shopfront import ranker

    def unseen(what: str, share: float) -> None:
        """The step is measured as a whole."""

    with taken() as all:
        made = ranker.fit(place.workspace, place.settings(), place.dataset(), place.checkpoints(), unseen)
    return made, all.written("fit ranker")


def _snapshot(place: Place) -> StepResult:
    from shopfront import ranker
    from shopfront.snapshot_build import build_snapshot
    from snapshot.dataset import DatasetStore

    settings, progress = place.settings(), PartsProgress(Console())
    began = time.monotonic()
    versions = place.versions()
    id = build_snapshot(
        place.workspace,
        settings,
        DatasetStore(place.workspace.datasets).open(place.dataset(), verify=False),
        {"mind": place.checkpoints()["mind"]},
        versions,
        configured_tables(settings),
        ranker.fitted(place.workspace, place.made("ranker")),
        progress,
    )
    figures = {"snapshot seconds": time.monotonic() - began}
    _repository(place).record_served(versions)
    SnapshotStore(place.workspace.snapshots).publish(id)
    for name, part in progress.parts.found.items():
        figures |= part.written(name)
    folder = place.workspace.snapshots / id
    figures |= {
        f"{part.parent.name}/{part.name} mib": _mib(part) for part in folder.glob("*/*") if part.is_dir()
    }
    peak = max(part.peak_mib for part in progress.parts.found.values())
    return id, figures | {"snapshot mib": _mib(folder), "snapshot peak_mib": peak}


def further_channels() -> list[str]:
    """Channels that are built only where a shop enables them, and that a log alone suffices for."""
    return [
        name
        for name, kind in CHANNELS.items()
        if not kind.settings().enabled and not kind.models and name != "alert_picks"
    ]


def _channel(name: str) -> Callable[[Place], StepResult]:
    def run(place: Place) -> StepResult:
        import shutil

        from recall.build_events import build_events
        from recall.channel import BuildSource, NothingToRecall
        from recall.part_build import build_part
        from snapshot.dataset import DatasetStore

        dataset = DatasetStore(place.workspace.datasets).open(place.dataset(), verify=False)
        source = BuildSource(
            build_events(dataset.events()),
            dataset.users(),
            dataset.catalogue,
            dataset.manifest.time_range[1],
            {},
            place.order.seed,
        )
        folder = place.folder / "channels" / name
        shutil.rmtree(folder, ignore_errors=True)
        settings = CHANNELS[name].settings(enabled=True)
        with taken() as all:
            try:
                rows = build_part(name, CHANNELS[name].build, source, folder, settings)
            except NothingToRecall:
                rows = {}
        figures = all.written(f"channel {name}") | {f"channel {name} mib": _mib(folder)}
        shutil.rmtree(folder)
        return rows, figures

    return run


def _open(place: Place) -> StepResult:
    from recall.build import RECALL_FOLDER, open_channels
    from recall.channel import Services
    from router.scenes.components import registered_tables
    from router.tables.files import TABLES_FOLDER, open_tables

    recall, tables = place.settings().router.recall, place.settings().router.tables
    before, began = resident_mib(), time.monotonic()
    snapshot = SnapshotStore(place.workspace.snapshots).open_current(verify=False)
    services = Services(model=lambda name: _no_model)
    held = (
        open_channels(snapshot.path / RECALL_FOLDER, snapshot.catalogue, services, recall),
        open_tables(
            registered_tables(), snapshot.path / TABLES_FOLDER, snapshot.catalogue, tables.sections()
        ),
    )
    figures = {"open seconds": time.monotonic() - began, "open mib": resident_mib() - before}
    began = time.monotonic()
    SnapshotStore(place.workspace.snapshots).open_current(verify=True)
    return [len(part) for part in held], figures | {"verify seconds": time.monotonic() - began}


async def _no_model(*given: Any) -> Any:
    raise AssertionError("opening a channel calls no model")


def _state(place: Place) -> StepResult:
    from shopfront.serve import seed_user_state

    with taken() as all:
        seed_user_state(place.workspace, place.dataset(), place.settings().router, lambda done, of: None)
    return None, all.written("state") | {"state mib": _mib(place.workspace.state)}


def _serve(place: Place) -> StepResult:
    import tempfile

    from benchmarks.closed_loop import Plan, drive_in_process
    from benchmarks.contestants import processes_of
    from benchmarks.memory_growth import held_by_kind
    from benchmarks.patient_settings import patient_settings
    from shopfront.serve import serving
    from snapshot.dataset import DatasetStore

    dataset = DatasetStore(place.workspace.datasets).open(place.dataset(), verify=False)
    users = dataset.users()["user_id"].sample(min(2_000, dataset.users().height), seed=1).to_list()
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="scale-") as scratch:
        settings = patient_settings(place.settings(), Path(scratch), "haproxy")
        began = time.monotonic()
        with serving(place.workspace, settings, print) as served:
            figures["serve start seconds"] = time.monotonic() - began
            for callers in (1, 8):
                plan = Plan(served.address, SCENE, users, callers, place.order.requests)
                drive_in_process(plan, Path(scratch))
                outcome = drive_in_process(plan, Path(scratch))
                if outcome.errors:
                    raise RuntimeError(f"requests failed: {outcome.errors}")
                figures |= {
                    f"{callers} callers p50 ms": outcome.p50_ms,
                    f"{callers} callers p99 ms": outcome.p99_ms,
                    f"{callers} callers requests/s": outcome.per_second,
                    f"{callers} callers degraded": float(sum(outcome.degraded.values())),
                }
            held = held_by_kind(processes_of(served))
            replicas = len(served.router.replica_pids())
            figures["replica mib"] = held["replicas"].resident_mib / replicas
            figures["replica own mib"] = held["replicas"].anonymous_mib / replicas
            figures["service mib"] = sum(each.resident_mib for each in held.values())
    return None, figures


def _repository(place: Place) -> ModelRepository:
    return ModelRepository(place.workspace.triton, contracts())


def _checkpoint(place: Place, model: str) -> Path:
    return place.workspace.checkpoints / model / str(place.made(f"train {model}"))


def _mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


STEPS: dict[str, Callable[[Place], StepResult]] = {
    "log": _log,
    "ingest": _ingest,
    **{f"train {model}": _train(model) for model in MODELS},
    **{f"export {model}": _export(model) for model in MODELS},
    "ranker": _ranker,
    "snapshot": _snapshot,
    "open": _open,
    "state": _state,
    "serve": _serve,
    **{f"channel {name}": _channel(name) for name in further_channels()},
}
"""In the order in which they need each other."""


def main() -> None:
    """Runs the step of the order and writes its result."""
    order = Order(**json.loads(Path(sys.argv[1]).read_text()))
    place = Place(order)
    made, figures = STEPS[order.step](place)
    result = {**asdict(order), "cores": os.cpu_count(), "made": made, "figures": figures}
    path = place.result(order.step)
    path.parent.mkdir(exist_ok=True)
    write_durably(path, json.dumps(result, indent=1).encode())


if __name__ == "__main__":
    main()
