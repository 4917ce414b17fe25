"""From a checkpoint to a TensorRT engine in the repository, judged like every other form."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path

from exporters.checkpoint_export import check_weights, quality_sample
from exporters.errors import ExportRefused
from exporters.formats import FLOAT32, FORMATS
from exporters.graph_files import load_graph, save_graph
from exporters.graph_rewrite import NotApplicable
from exporters.input_cases import dataset_cases, made_up_cases
from exporters.parity import check_parity
from exporters.quality import answers, judge, losses
from exporters.selection import timed_requests
from exporters.settings import ExportSettings
from exporters.speed import measure_in_turns, relative_speeds
from exporters.tensorrt_engine import build_plan, find_builder, open_plan
from exporters.tensorrt_graph import REWRITES, obstacles, profile
from models.checkpoint import load_checkpoint
from models.contracts import contract as contract_of_model
from models.in_process import NetworkRunner
from models.registry import MODELS
from snapshot.dataset import Dataset
from triton_repo.engine_names import ENGINE_SUFFIX
from triton_repo.manifest import CandidateRecord, ParityRecord, VersionManifest, write_manifest
from triton_repo.repository import ModelRepository
from triton_repo.settings import ModelSettings

PLAN_FILE = "model.plan"
INSTANCES = 2  # while one computes, the other's inputs travel


def prepare_graph(
    checkpoint: Path, dataset: Dataset, settings: ExportSettings, folder: Path, *, seed: int
) -> Path:
    """Writes the ONNX graph an engine is built from into `folder`, in the engine's precision; needs no GPU.

    `folder/float32/` holds the float32 graph beside it. Raises ExportRefused where a weight is NaN or
    infinite, nothing can be quantised, or the graph holds what TensorRT does not take.
    """
    module, record = load_checkpoint(checkpoint)
    check_weights(record.model, module)
    kind, contract = MODELS[record.model], contract_of_model(record.model)
    real = dataset_cases(
        kind,
        contract,
        dataset,
        shoppers=settings.sample_shoppers,
        candidates=settings.sample_candidates,
        seed=seed,
    )
    float32 = folder / "float32"
    float32.mkdir(parents=True)
    # As trained: sizes inside the served arrangement depend on the rows of the candidates, and TensorRT takes
    # no size that depends on the values of an input.
    FORMATS[FLOAT32].write(module, contract, real, float32)
    graph = load_graph(float32)
    rewrite = REWRITES[settings.tensorrt.precision]
    if rewrite is not None:
        try:
            graph = rewrite.rewrite(graph, contract, real)
        except NotApplicable as reason:
            raise ExportRefused(f"{record.model} in {settings.tensorrt.precision}: {reason}") from reason
    found = obstacles(graph)
    if found:
        raise ExportRefused(f"{record.model} is not for TensorRT: {'; '.join(found)}")
    return save_graph(graph, folder)


def export_tensorrt(
    checkpoint: Path,
    dataset: Dataset,
    repository: ModelRepository,
    settings: ExportSettings,
    *,
    seed: int,
    clock: Callable[[], float],
) -> tuple[int, VersionManifest]:
    """Builds an engine of a checkpoint on this machine's GPU and adds it as the next version of its model.

    The engine must answer near torch (`quantised_tolerance`) and lose no quality against the float32 graph
    on the CPU; its speed beside that graph is recorded. Returns version and manifest. Raises ExportRefused
    naming what is missing here (tensorrt, a GPU), what TensorRT said, or the gate that failed.
    """
    builder = find_builder()
    module, record = load_checkpoint(checkpoint)
    kind, contract = MODELS[record.model], contract_of_model(record.model)
    served = f"{record.model}{ENGINE_SUFFIX}"
    if not kind.engine:
        raise ExportRefused(f"no engine of {record.model} can be built: its registration says engine=False")
    chosen = settings.tensorrt
    scratch, staged = repository.stage(served), repository.stage(served)
    try:
        graph = prepare_graph(checkpoint, dataset, settings, scratch, seed=seed)
        cache = repository.root / "tensorrt_timing.cache"
        plan = build_plan(graph, profile(contract, chosen), chosen, cache)
        run, float32 = open_plan(plan, contract), FORMATS[FLOAT32].open(scratch / "float32", contract)
        cases = [
            *made_up_cases(contract, record.items, seed),
            *dataset_cases(kind, contract, dataset, shoppers=chosen.max_shoppers, candidates=50, seed=seed),
        ]
        parity = check_parity(
            served, NetworkRunner(module, contract.tensors, {}), run, cases, settings.quantised_tolerance
        )
        sample = quality_sample(kind, contract, dataset, settings, seed)
        if not sample:
            raise ExportRefused(f"{served}: the validation range holds no labelled candidates to judge it by")
        report = judge(sample, answers(float32, sample), answers(run, sample))
        lost = losses(report, maximum_auc_loss=settings.maximum_auc_loss, minimum_ndcg=settings.minimum_ndcg)
        if lost:
            raise ExportRefused(f"{served} in {chosen.precision}: {'; '.join(lost)}")
        requests = timed_requests(contract, sample, chosen.likely_candidates)
        spent = measure_in_turns({FLOAT32: float32, served: run}, requests, rounds=settings.speed_rounds)
        rows_per_s, ratio = relative_speeds(spent, FLOAT32, chosen.likely_candidates)[served]
        (staged / PLAN_FILE).write_bytes(plan)
        manifest = write_manifest(
            staged,
            VersionManifest(
                model=served,
                format=f"tensorrt_{chosen.precision}",
                created_at=datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds"),
                checkpoint=checkpoint.name,
                checkpoint_sha256=record.weights_sha256,
                dataset=record.dataset,
                items=record.items,
                parity=ParityRecord(parity.max_abs, parity.mean_abs, parity.samples, parity.tolerance),
                candidates=[
                    CandidateRecord(
                        format=f"tensorrt_{chosen.precision}",
                        verdict="served",
                        reason="it was asked for, and lost nothing",
                        bytes=len(plan),
                        rows_per_s=rows_per_s,
                        candidates=chosen.likely_candidates,
                        ratio=ratio,
                        max_abs=parity.max_abs,
                        auc=report.auc,
                        auc_loss=report.auc_loss,
                        ndcg_50=report.ndcg,
                    )
                ],
                tools={
                    "tensorrt": builder.tensorrt,
                    **{tool: package_version(tool) for tool in FORMATS[FLOAT32].tools},
                },
                gpu=builder.gpu,
                sizes={
                    name: [list(sizes.least), list(sizes.likely), list(sizes.most)]
                    for name, sizes in profile(contract, chosen).items()
                },
            ),
        )
        number = repository.add_version(served, staged)
        repository.configure({served: ModelSettings(instances=INSTANCES)})
    finally:
        for folder in (scratch, staged):
            shutil.rmtree(folder, ignore_errors=True)
    return number, manifest
