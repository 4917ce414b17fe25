"""Checkpoints become versions, and only those that torch agrees with."""

import hashlib
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from exporters import graph_files
from exporters.checkpoint_export import ExportedVersion, export
from exporters.errors import ExportRefused
from exporters.formats import FORMATS
from exporters.input_cases import dataset_cases
from exporters.onnx_export import OnnxFormat
from exporters.settings import ExportSettings
from models import checkpoint as checkpoints
from models.checkpoint import load_checkpoint
from models.contracts import contract as contract_of
from models.contracts import contracts
from models.registry import MODELS
from testing.triton_server import infer, started
from tests.exporters.conftest import SETTINGS, CopyOf, Shop, clock, torch_scores
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings, TritonSettings

pytestmark = pytest.mark.slow


def test_the_version_carries_its_origin_and_passes_its_own_checksums(
    exported: ExportedVersion, shop: Shop, repository: ModelRepository
) -> None:
    assert exported.version == 1
    weights = shop.checkpoints[exported.model] / "weights.safetensors"
    manifest = repository.verify(exported.model, exported.version)
    assert manifest == exported.manifest
    assert manifest.checkpoint_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (manifest.dataset, manifest.items) == (shop.dataset.manifest.id, shop.dataset.catalogue.size)
    assert manifest.created_at == "2024-06-01T12:00:00+00:00"
    assert set(manifest.files) == {"model.onnx"}
    assert set(manifest.tools) == {"torch", "onnx", "onnxscript", "onnxruntime"}
    assert manifest.parity.max_abs == exported.parity.max_abs <= 1e-4
    assert manifest.speed is not None
    assert manifest.speed.ratio > 0
    names = [case.name for case in exported.parity.cases]
    assert any(f"of data set {shop.dataset.manifest.id}" in name for name in names)
    assert "ids and codes outside the tables" in names


def test_the_compared_answers_differ_from_input_to_input(exported: ExportedVersion, shop: Shop) -> None:
    module, _ = load_checkpoint(shop.checkpoints[exported.model])
    contract = contract_of(exported.model)
    for case in dataset_cases(
        MODELS[contract.model], contract, shop.dataset, shoppers=20, candidates=50, seed=3
    ):
        assert torch_scores(module, exported.model)(case.feeds).std() > 0.01


def test_the_graph_of_prerank_holds_no_item_tower(shop: Shop, repository: ModelRepository) -> None:
    if not repository.versions("prerank"):
        export(shop.checkpoints["prerank"], shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    graph = onnx.load(repository.version_folder("prerank", 1) / "model.onnx").graph
    names = {tensor.name for tensor in graph.initializer}
    assert "item_table" in names
    assert not any("item_hidden" in name for name in names)


def test_real_shoppers_are_cut_at_their_moment(shop: Shop) -> None:
    contract = contract_of("bst")
    cases = dataset_cases(
        MODELS[contract.model], contract, shop.dataset, shoppers=40, candidates=5, seed=0, batch=16
    )
    assert [len(case.feeds["history_item"]) for case in cases] == [16, 16, 8]
    assert all(len(case.feeds["candidate_item"]) == 5 * len(case.feeds["profile"]) for case in cases)
    lengths = np.concatenate([(case.feeds["history_event"] > 0).sum(1) for case in cases])
    assert len(set(lengths.tolist())) > 5
    items = np.concatenate([case.feeds["candidate_item"] for case in cases])
    assert items.min() >= 1
    assert items.max() <= shop.dataset.catalogue.size


def test_an_epsilon_survives_the_export(tmp_path: Path) -> None:
    class Unit(nn.Module):
        """The history's items as a vector of length 1; an empty history stays zero."""

        def forward(
            self, history_item: torch.Tensor, history_event: torch.Tensor, history_age: torch.Tensor
        ) -> torch.Tensor:
            vectors = torch.stack([history_item, history_event + history_age], dim=1).float()
            return vectors / torch.sqrt((vectors * vectors).sum(-1, keepdim=True) + 1e-12)

    contract = contract_of("mind")
    OnnxFormat().write(Unit(), contract, [], tmp_path)
    zeros = {name: np.zeros((2, 50), np.int32) for name in contract.inputs}
    np.testing.assert_array_equal(
        OnnxFormat().open(tmp_path, contract)(zeros)["interests"], np.zeros((2, 2, 50))
    )


def test_a_module_out_of_contract_is_refused(tmp_path: Path) -> None:
    class Flat(nn.Module):
        """Answers [B, T] where interests are [B, K, D]."""

        def forward(
            self, history_item: torch.Tensor, history_event: torch.Tensor, history_age: torch.Tensor
        ) -> torch.Tensor:
            return (history_item + history_event + history_age).float()

    with pytest.raises(
        ExportRefused,
        match=r"mind: output interests of the graph is FLOAT\[-1, 50\], its model declares float32\[B, -1, -",
    ):
        OnnxFormat().write(Flat(), contract_of("mind"), [], tmp_path)


def test_triton_serves_what_torch_answers_also_with_constants_apart(
    shop: Shop, tmp_path: Path, repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ModelRepository(tmp_path / "triton", contracts())
    # The session's export, made by whichever test came first.
    if not repository.versions("bst"):
        export(shop.checkpoints["bst"], shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    shutil.copytree(repository.version_folder("bst", 1), own.version_folder("bst", 1))
    with monkeypatch.context() as patched:
        # As a catalogue of ten million items is written.
        patched.setattr(graph_files, "ONE_FILE_BYTES", 0)
        patched.setattr(graph_files, "LEAST_BYTES", 64)
        export(shop.checkpoints["mind"], shop.dataset, own, SETTINGS, seed=3, clock=clock)
    assert set(own.verify("mind", 1).files) == {"model.onnx", "model.onnx.data"}
    server = TritonServer(
        own, tmp_path / "triton.log", TritonSettings(models={"bst": ModelSettings(), "mind": ModelSettings()})
    )
    with started(server):
        for model in ("bst", "mind"):
            module, _ = load_checkpoint(shop.checkpoints[model])
            contract = contract_of(model)
            for case in dataset_cases(
                MODELS[contract.model], contract, shop.dataset, shoppers=20, candidates=30, seed=5
            ):
                answer = infer(server.grpc_url, model, case.feeds)
                np.testing.assert_allclose(
                    answer, torch_scores(module, model)(case.feeds), rtol=0, atol=1e-4, err_msg=case.name
                )


def test_a_perturbed_graph_is_refused(
    exported: ExportedVersion, shop: Shop, repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perturb(graph: onnx.ModelProto) -> None:
        """Moves the largest weight tensor a little."""
        largest = max(
            (t for t in graph.graph.initializer if t.data_type == onnx.TensorProto.FLOAT),
            key=lambda t: int(np.prod(t.dims)),
        )
        moved = numpy_helper.to_array(largest) + np.float32(0.05)
        largest.CopyFrom(numpy_helper.from_array(moved, largest.name))

    before = repository.versions(exported.model)
    monkeypatch.setitem(FORMATS, "onnx", CopyOf(exported.folder, perturb))
    with pytest.raises(
        ExportRefused,
        match=rf"^{exported.model} differs from torch by [\d.e-]+ on .+; the tolerance is 0\.0001$",
    ):
        export(shop.checkpoints[exported.model], shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    assert repository.versions(exported.model) == before
    assert list((repository.root / "staging").iterdir()) == []


def test_an_unchanged_graph_becomes_the_next_version(
    exported: ExportedVersion, shop: Shop, repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "onnx", CopyOf(exported.folder))
    before = repository.versions(exported.model)
    again = export(shop.checkpoints[exported.model], shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    assert again.version == before[-1] + 1
    assert again.parity == exported.parity
    assert again.manifest.files == exported.manifest.files


def test_a_version_that_is_too_slow_is_refused(
    exported: ExportedVersion, shop: Shop, repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "onnx", CopyOf(exported.folder))
    settings = SETTINGS.model_copy(update={"minimum_speed_ratio": 1e6})
    with pytest.raises(ExportRefused, match="times the speed of eager torch"):
        export(shop.checkpoints[exported.model], shop.dataset, repository, settings, seed=3, clock=clock)


def test_nan_weights_are_refused_by_name(
    shop: Shop, repository: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, record = load_checkpoint(shop.checkpoints["bst"])
    with torch.no_grad():
        model.get_parameter("user_half.bias")[0] = float("nan")
    # A checkpoint like this is not written by training; a hand or another tool may.
    monkeypatch.setattr(
        "exporters.checkpoint_export.load_checkpoint", lambda folder: (model, record), raising=True
    )
    assert checkpoints.load_checkpoint is load_checkpoint
    with pytest.raises(ExportRefused, match=r"bst has NaN or infinite weights in user_half\.bias"):
        export(tmp_path, shop.dataset, repository, SETTINGS, seed=3, clock=clock)


def test_another_data_set_is_refused(shop: Shop, repository: ModelRepository) -> None:
    manifest = msgspec.structs.replace(shop.dataset.manifest, id="another")
    other = type(shop.dataset)(shop.dataset.path, manifest, shop.dataset.catalogue)
    with pytest.raises(ExportRefused, match=r"was trained on data set .*, not on another"):
        export(shop.checkpoints["bst"], other, repository, SETTINGS, seed=3, clock=clock)


def test_an_unknown_format_is_named(shop: Shop, repository: ModelRepository) -> None:
    with pytest.raises(ExportRefused, match="no export format is called 'stone'; there are onnx"):
        export(
            shop.checkpoints["bst"],
            shop.dataset,
            repository,
            ExportSettings(formats=("onnx", "stone")),
            seed=3,
            clock=clock,
        )
