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
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.scale_log import ScaleLog
from benchmarks.scale_measured import PartsProgress, taken
from benchmarks.scale_place import MODELS, Order, Place, StepResult, mib
from benchmarks.scale_serving import fill_state, open_snapshot, serve
from models.contracts import contracts
from recall.registry import CHANNELS
from shopfront.settings import configured_tables
from snapshot.durable_files import write_durably
from snapshot.store import SnapshotStore
from triton_repo.repository import ModelRepository

_LOGGED_AT = datetime(2024, 6, 1, tzinfo=UTC)


def _log(place: Place) -> StepResult:
    place.data.mkdir(parents=True, exist_ok=True)
    with taken() as all:
        rows = ScaleLog(place.order.items, place.order.seed).write(place.data)
    sizes = {f"{name} rows": float(count) for name, count in rows.items()}
    return rows, all.written("log") | sizes | {"log mib": mib(place.data)}


def _ingest(place: Place) -> StepResult:
    from ingest.ingest_folder import ingest_folder

    place.workspace.make()
    settings, progress = place.settings(), PartsProgress(Console())
    with progress.step("ingest: settings") as step, taken() as all:
        dataset = ingest_folder(
            place.data, place.workspace.root, settings.ingest, settings.seed, step.stage, _LOGGED_AT
        )
    return dataset.manifest.id, all.written("ingest") | {"data set mib": mib(dataset.path)}


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
        size = {f"checkpoint {model} mib": mib(place.workspace.checkpoints / model / trained.checkpoint)}
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
        return exported.version, all.written(f"export {model}") | {f"version {model} mib": mib(folder)}

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
        f"{part.parent.name}/{part.name} mib": mib(part) for part in folder.glob("*/*") if part.is_dir()
    }
    peak = max(part.peak_mib for part in progress.parts.found.values())
    return id, figures | {"snapshot mib": mib(folder), "snapshot peak_mib": peak}


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
        figures = all.written(f"channel {name}") | {f"channel {name} mib": mib(folder)}
        shutil.rmtree(folder)
        return rows, figures

    return run


def _repository(place: Place) -> ModelRepository:
    return ModelRepository(place.workspace.triton, contracts())


def _checkpoint(place: Place, model: str) -> Path:
    return place.workspace.checkpoints / model / str(place.made(f"train {model}"))


STEPS: dict[str, Callable[[Place], StepResult]] = {
    "log": _log,
    "ingest": _ingest,
    **{f"train {model}": _train(model) for model in MODELS},
    **{f"export {model}": _export(model) for model in MODELS},
    "ranker": _ranker,
    "snapshot": _snapshot,
    "open": open_snapshot,
    "state": fill_state,
    "serve": serve,
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
