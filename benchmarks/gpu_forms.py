"""The forms of one ranking network that `benchmarks.gpu` measures, each with what it needs to be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exporters.errors import ExportRefused
from exporters.formats import FLOAT32, FORMATS
from exporters.graph_files import MODEL_FILE
from exporters.input_cases import dataset_cases, random_feeds
from exporters.runner import Feeds
from exporters.settings import ExportSettings
from exporters.tensorrt_engine import build_plan, missing, open_plan
from exporters.tensorrt_export import prepare_graph
from exporters.tensorrt_graph import profile
from exporters.tensorrt_settings import Precision, TensorRtSettings
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import TrainedOn, load_checkpoint, record_of, save_checkpoint
from models.contracts import contract as contract_of
from models.item_features import ItemFeatures
from models.registry import MODELS
from snapshot.dataset import Dataset
from testing.synthetic_shop import synthetic_dataset

Run = Callable[[Feeds], object]
Network = Callable[..., Tensor]
CPU = "ONNX Runtime, one thread of the CPU"
_PROFILE = ("gender", "age_band", "city", "purchasing_power")
_NO_GPU = "an NVIDIA GPU that torch sees (requirements-gpu.txt, and torch's CUDA wheel)"


@dataclass(frozen=True)
class Prepared:
    """A network with drawn weights, on disk, and the catalogue that it is for.

    checkpoint  of BST in its default size
    graph       folder of its float32 ONNX graph
    scratch     for what forms write
    most        candidates of the largest call
    """

    dataset: Dataset
    checkpoint: Path
    graph: Path
    scratch: Path
    items: int
    most: int
    seed: int

    def request(self, candidates: int) -> dict[str, NDArray[Any]]:
        """One shopper's call with this many candidates."""
        return random_feeds(
            contract_of("bst"), shoppers=1, candidates=candidates, items=self.items, seed=self.seed
        )


def made_up_network(
    folder: Path, items: int, most: int, seed: int, settings: BstNetworkSettings | None = None
) -> Prepared:
    """A made-up shop of `items` items and an untrained BST for it, of the default size unless said."""
    dataset = synthetic_dataset(folder, users=200, items=items, events=20_000, seed=seed)
    counts = tuple(len(dataset.catalogue.profile_vocab.get(field, ())) for field in _PROFILE)
    torch.manual_seed(seed)
    network = Bst(
        settings or BstNetworkSettings(), ItemFeatures.from_catalogue(dataset.catalogue), counts
    ).eval()
    record = record_of(
        "bst", network.settings, TrainedOn.of(dataset), seed=seed, steps=0, metrics={}, training={}
    )
    checkpoint = save_checkpoint(network, record, folder / "checkpoints" / "bst" / "drawn")
    graph = folder / "graph"
    graph.mkdir()
    contract = contract_of("bst")
    cases = dataset_cases(MODELS["bst"], contract, dataset, shoppers=4, candidates=20, seed=seed)
    FORMATS[FLOAT32].write(network, contract, cases, graph)
    return Prepared(dataset, checkpoint, graph, folder, items, most, seed)


def _eager(prepared: Prepared, device: str) -> Run | str:
    return _of_torch(prepared, device, lambda network: network)


def _compiled(prepared: Prepared, device: str) -> Run | str:
    return _of_torch(prepared, device, partial(torch.compile, dynamic=True))


def _of_torch(prepared: Prepared, device: str, changed: Callable[[nn.Module], Network]) -> Run | str:
    if device == "cuda" and not torch.cuda.is_available():
        return _NO_GPU
    network, _ = load_checkpoint(prepared.checkpoint)
    ready = changed(network.eval().to(device))

    def run(feeds: Feeds) -> NDArray[Any]:
        with torch.inference_mode():
            scores = ready(**{name: torch.from_numpy(values).to(device) for name, values in feeds.items()})
        return np.asarray(scores.cpu().numpy())

    return run


def _onnx_cuda(prepared: Prepared, device: str) -> Run | str:
    provider = "CUDAExecutionProvider"
    there = ort.get_available_providers()
    if device == "cuda" and provider not in there:
        return f"ONNX Runtime's {provider} (requirements-gpu.txt; this one has {', '.join(there)})"
    return _of_onnx(prepared, provider if device == "cuda" else "CPUExecutionProvider")


def _onnx_cpu(prepared: Prepared, device: str) -> Run | str:
    del device
    return _of_onnx(prepared, "CPUExecutionProvider")


def _of_onnx(prepared: Prepared, provider: str) -> Run | str:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(prepared.graph / MODEL_FILE, options, providers=[provider])
    if provider not in session.get_providers():
        return f"ONNX Runtime could not use {provider} (CUDA's and cuDNN's libraries), and fell back"
    names = {tensor.name for tensor in session.get_inputs()}
    return lambda feeds: session.run(None, {name: feeds[name] for name in names})


def _tensorrt(precision: Precision) -> Callable[[Prepared, str], Run | str]:
    def form(prepared: Prepared, device: str) -> Run | str:
        if device != "cuda":
            return "an NVIDIA GPU (--device cpu)"
        lacking = missing()
        if lacking:
            return "; ".join(lacking)
        chosen = TensorRtSettings(
            precision=precision, max_shoppers=1, likely_candidates=1_000, max_candidates=prepared.most
        )
        settings = ExportSettings(tensorrt=chosen, sample_shoppers=20)
        contract = contract_of("bst")
        try:
            graph = prepare_graph(
                prepared.checkpoint,
                prepared.dataset,
                settings,
                prepared.scratch / f"tensorrt-{precision}",
                seed=prepared.seed,
            )
            plan = build_plan(graph, profile(contract, chosen), chosen, prepared.scratch / "timing.cache")
            return open_plan(plan, contract)
        except ExportRefused as refused:
            return str(refused)

    return form


FORMS: Mapping[str, Callable[[Prepared, str], Run | str]] = {
    "torch eager": _eager,
    "torch.compile": _compiled,
    "ONNX Runtime, CUDA": _onnx_cuda,
    "TensorRT float16": _tensorrt("float16"),
    "TensorRT int8": _tensorrt("int8"),
    CPU: _onnx_cpu,
}
"""Form → what makes it ready on a device, "cuda" or "cpu": its call, or the words for what is missing."""
