"""From a checkpoint to a numbered version on Triton, through the gates."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path

import torch
from torch import nn

from exporters.errors import ExportRefused
from exporters.formats import FORMATS, Format
from exporters.input_cases import dataset_cases, made_up_cases, random_feeds
from exporters.parity import ParityReport, check_parity, torch_runner
from exporters.settings import ExportSettings
from exporters.speed import SpeedReport, check_speed, measure_speed
from models.checkpoint import load_checkpoint
from snapshot.dataset import Dataset
from triton_repo.contract import read_contract
from triton_repo.manifest import ParityRecord, SpeedRecord, VersionManifest, write_manifest
from triton_repo.repository import ModelRepository


@dataclass(frozen=True, slots=True)
class ExportedVersion:
    """A version that passed the gates and lies in the repository; no server has loaded it yet."""

    model: str
    version: int
    folder: Path
    parity: ParityReport
    speed: SpeedReport
    manifest: VersionManifest


def export(
    checkpoint: Path,
    dataset: Dataset,
    repository: ModelRepository,
    settings: ExportSettings,
    *,
    seed: int,
    clock: Callable[[], float],
) -> ExportedVersion:
    """Exports the checkpoint in `checkpoint` and adds it to the repository as the next version.

    `dataset` is the one the checkpoint was trained on; its shoppers are among the inputs compared. `seed`
    draws those inputs; `clock` gives unix seconds. Raises ExportRefused where a weight is NaN or infinite,
    the data set is another one, or the exported form is too far from torch or too slow: then the
    repository is as before. CheckpointError where the checkpoint cannot be read.
    """
    module, record = load_checkpoint(checkpoint)
    if record.dataset != dataset.manifest.id:
        raise ExportRefused(
            f"{checkpoint} was trained on data set {record.dataset}, not on {dataset.manifest.id}: item ids"
            " would mean other items; train again"
        )
    check_weights(record.model, module)
    contract = read_contract(record.model)
    form = _format(settings.format)
    real = dataset_cases(
        contract,
        dataset,
        shoppers=settings.sample_shoppers,
        candidates=settings.sample_candidates,
        seed=seed,
    )
    staged = repository.stage(record.model)
    try:
        form.write(module, contract, real, staged)
        reference, exported = torch_runner(module), form.open(staged, contract)
        cases = [*made_up_cases(contract, record.items, seed), *real]
        parity = check_parity(record.model, reference, exported, cases, settings.tolerance)
        request = random_feeds(
            contract, shoppers=1, candidates=settings.speed_candidates, items=max(1, record.items), seed=seed
        )
        speed = measure_speed(reference, exported, request, rounds=settings.speed_rounds)
        check_speed(record.model, speed, settings.minimum_speed_ratio)
        manifest = write_manifest(
            staged,
            VersionManifest(
                model=record.model,
                format=settings.format,
                created_at=datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds"),
                checkpoint=checkpoint.name,
                checkpoint_sha256=record.weights_sha256,
                dataset=record.dataset,
                items=record.items,
                parity=ParityRecord(parity.max_abs, parity.mean_abs, parity.samples, parity.tolerance),
                speed=SpeedRecord(**asdict(speed)),
                tools={tool: package_version(tool) for tool in form.tools},
            ),
        )
        number = repository.add_version(record.model, staged)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    folder = repository.version_folder(record.model, number)
    return ExportedVersion(record.model, number, folder, parity, speed, manifest)


def check_weights(model: str, module: nn.Module) -> None:
    """Raises ExportRefused naming every weight tensor that holds NaN or infinity."""
    broken = [
        name
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if broken:
        raise ExportRefused(f"{model} has NaN or infinite weights in {', '.join(broken)}; train again")


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise ExportRefused(f"no export format is called {name!r}; there are {', '.join(sorted(FORMATS))}")
    return FORMATS[name]
