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
from exporters.formats import FLOAT32, FORMATS, REWRITES, known_formats
from exporters.input_cases import dataset_cases, made_up_cases, random_feeds
from exporters.parity import ParityReport, check_parity
from exporters.ranking_sample import RankingSample, ranking_sample
from exporters.selection import Selection, Trial, select, timed_requests
from exporters.settings import ExportSettings
from exporters.speed import SpeedReport, check_speed, measure_speed
from models.checkpoint import load_checkpoint
from models.contracts import contract_of
from models.in_process import NetworkRunner
from models.kind import ModelKind
from models.registry import MODELS
from snapshot.dataset import Dataset
from triton_repo.contract import Contract
from triton_repo.manifest import CandidateRecord, ParityRecord, SpeedRecord, VersionManifest, write_manifest
from triton_repo.repository import ModelRepository


@dataclass(frozen=True, slots=True)
class ExportedVersion:
    """A version that passed the gates and lies in the repository; no server has loaded it yet.

    parity: of the served form against torch; speed: of the float32 form against torch.
    """

    model: str
    version: int
    folder: Path
    parity: ParityReport
    speed: SpeedReport
    manifest: VersionManifest

    @property
    def candidates(self) -> list[CandidateRecord]:
        """Every form that was tried, with its figures."""
        return self.manifest.candidates


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

    The float32 form must answer what torch answers. Of a model that scores candidates, the other forms of
    `settings.formats` are then judged beside it, and the best one that loses nothing is served.

    `dataset` is the one the checkpoint was trained on; its shoppers are among the inputs compared. `seed`
    draws those inputs; `clock` gives unix seconds. Raises ExportRefused where a weight is NaN or infinite,
    the data set is another one, the float32 form is too far from torch or too slow, or no form passes: then
    the repository is as before. CheckpointError where the checkpoint cannot be read.
    """
    unknown = [name for name in settings.formats if name not in known_formats()]
    if unknown:
        raise ExportRefused(
            f"no export format is called {', '.join(map(repr, unknown))}; there are"
            f" {', '.join(known_formats())}"
        )
    module, record = load_checkpoint(checkpoint)
    if record.dataset != dataset.manifest.id:
        raise ExportRefused(
            f"{checkpoint} was trained on data set {record.dataset}, not on {dataset.manifest.id}: item ids"
            " would mean other items; train again"
        )
    check_weights(record.model, module)
    kind = MODELS[record.model]
    contract, words = contract_of(record.model, kind), kind.words(module)
    real = dataset_cases(
        kind,
        contract,
        dataset,
        shoppers=settings.sample_shoppers,
        candidates=settings.sample_candidates,
        seed=seed,
    )
    form = FORMATS[FLOAT32]
    staged, scratch = repository.stage(record.model), repository.stage(record.model)
    try:
        served = kind.serving_form(module, settings.item_table_mib << 20)
        form.write(served, contract, real, staged, words)
        reference, exported = (
            NetworkRunner(module, contract.tensors, words),
            form.open(staged, contract),
        )
        cases = [*made_up_cases(contract, record.items, seed, words), *real]
        parity = check_parity(record.model, reference, exported, cases, settings.tolerance)
        request = random_feeds(
            contract,
            shoppers=1,
            candidates=settings.speed_candidates,
            items=max(1, record.items),
            seed=seed,
            words=words,
        )
        speed = measure_speed(reference, exported, request, rounds=settings.speed_rounds)
        check_speed(record.model, speed, settings.minimum_speed_ratio)
        chosen = Selection(FLOAT32, staged, parity, ())
        if contract.scores_candidates and settings.formats != (FLOAT32,):
            sample = quality_sample(kind, contract, dataset, settings, seed)
            requests = timed_requests(contract, sample, settings.speed_candidates) or (request,)
            trial = Trial(contract, reference, real, cases, sample, requests)
            chosen = select(trial, staged, scratch, settings)
        manifest = write_manifest(
            chosen.folder,
            VersionManifest(
                model=record.model,
                format=chosen.format,
                created_at=datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds"),
                checkpoint=checkpoint.name,
                checkpoint_sha256=record.weights_sha256,
                dataset=record.dataset,
                items=record.items,
                parity=ParityRecord(
                    chosen.parity.max_abs,
                    chosen.parity.mean_abs,
                    chosen.parity.samples,
                    chosen.parity.tolerance,
                ),
                speed=SpeedRecord(**asdict(speed)),
                candidates=list(chosen.candidates),
                tools={tool: package_version(tool) for tool in _tools(chosen.format)},
            ),
        )
        number = repository.add_version(record.model, chosen.folder)
    finally:
        for folder in (staged, scratch):
            shutil.rmtree(folder, ignore_errors=True)
    folder = repository.version_folder(record.model, number)
    return ExportedVersion(record.model, number, folder, chosen.parity, speed, manifest)


def check_weights(model: str, module: nn.Module) -> None:
    """Raises ExportRefused naming every weight tensor that holds NaN or infinity."""
    broken = [
        name
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if broken:
        raise ExportRefused(f"{model} has NaN or infinite weights in {', '.join(broken)}; train again")


def quality_sample(
    kind: ModelKind, contract: Contract, dataset: Dataset, settings: ExportSettings, seed: int
) -> RankingSample:
    """The shoppers by whom forms are judged, as many as the settings say."""
    return ranking_sample(
        kind,
        contract,
        dataset,
        points=settings.quality_points,
        negatives=settings.quality_negatives,
        lists=settings.quality_lists,
        list_candidates=settings.quality_candidates,
        seed=seed,
    )


def _tools(name: str) -> dict[str, None]:
    """The packages that made a form, each once."""
    rewrite = REWRITES[name].tools if name in REWRITES else ()
    return dict.fromkeys((*FORMATS[FLOAT32].tools, *rewrite))
