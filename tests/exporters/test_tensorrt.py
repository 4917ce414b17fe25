"""TensorRT: everything that can be known without a GPU, and the engine itself where there is one."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from onnx import helper
from pydantic import ValidationError
from tritonclient.grpc import model_config_pb2

from exporters import tensorrt_engine
from exporters.checkpoint_export import export
from exporters.errors import ExportRefused
from exporters.formats import FORMATS
from exporters.input_cases import random_feeds
from exporters.settings import ExportSettings
from exporters.tensorrt_engine import build_plan, find_builder, missing, open_plan
from exporters.tensorrt_export import export_tensorrt, prepare_graph
from exporters.tensorrt_graph import obstacles, profile
from exporters.tensorrt_settings import TensorRtSettings
from models.checkpoint import load_checkpoint
from models.contracts import contract as contract_of
from models.contracts import contracts
from tests.exporters.conftest import SETTINGS, CopyOf, Shop, clock, torch_scores
from tests.exporters.test_row_wise import lookup_graph
from triton_repo.configuration import config_text
from triton_repo.repository import ModelRepository
from triton_repo.settings import ModelSettings

BST = contract_of("bst")
needs_gpu = pytest.mark.skipif(
    bool(missing()), reason=f"no TensorRT engine can be built here: {'; '.join(missing())}"
)


def parsed(path: Path) -> "model_config_pb2.ModelConfig":
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


def test_the_engine_takes_what_the_network_takes() -> None:
    engine, network = (
        text_format.Parse(config_text(contract_of(name)), model_config_pb2.ModelConfig())
        for name in ("bst_trt", "bst")
    )
    assert (engine.platform, engine.backend) == ("tensorrt_plan", "tensorrt")
    assert engine.default_model_filename == "model.plan"
    assert (list(engine.input), list(engine.output)) == (list(network.input), list(network.output))
    assert engine.version_policy == network.version_policy
    assert list(engine.model_warmup) == list(network.model_warmup)
    assert {group.kind for group in engine.instance_group} == {model_config_pb2.ModelInstanceGroup.KIND_GPU}


def test_operators_settings_reach_the_engines_configuration(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path, contracts())
    repository.configure({"bst_trt": ModelSettings(instances=3, accelerator="tensorrt")})
    config = parsed(repository.models_folder / "bst_trt" / "config.pbtxt")
    assert [group.count for group in config.instance_group] == [3]
    assert not config.parameters
    assert not config.HasField("optimization")


def test_the_accelerator_is_in_the_configuration_where_it_is_asked_for(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path, contracts())
    target = repository.models_folder / "bst" / "config.pbtxt"
    repository.configure({"bst": ModelSettings(accelerator="tensorrt")})
    (block,) = parsed(target).optimization.execution_accelerators.gpu_execution_accelerator
    assert block.name == "tensorrt"
    assert block.parameters["precision_mode"] == "FP16"
    assert block.parameters["trt_engine_cache_enable"] == "true"
    repository.configure({"bst": ModelSettings()})
    assert not parsed(target).optimization.execution_accelerators.gpu_execution_accelerator


def test_the_profile_covers_one_call_to_the_largest() -> None:
    settings = TensorRtSettings(likely_shoppers=2, max_shoppers=8, likely_candidates=300, max_candidates=5000)
    sizes = profile(BST, settings)
    assert list(sizes) == list(BST.inputs)
    history, candidate = sizes["history_item"], sizes["candidate_item"]
    assert (history.least, history.likely, history.most) == ((1, 50), (2, 50), (8, 50))
    assert (candidate.least, candidate.likely, candidate.most) == ((1,), (300,), (5000,))
    assert sizes["candidate_row"] == candidate


@pytest.mark.parametrize(
    "wrong", [{"likely_candidates": 9000}, {"likely_shoppers": 17}, {"precision": "int4"}]
)
def test_sizes_that_contradict_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TensorRtSettings.model_validate(wrong)


def test_what_tensorrt_does_not_take_is_named() -> None:
    graph = lookup_graph(np.ones((4, 4), np.float32), 1)
    assert obstacles(graph) == []
    graph.graph.node.append(helper.make_node("BitShift", ["a", "b"], ["c"], direction="LEFT"))
    graph.graph.node.append(helper.make_node("FusedGemm", ["a", "b"], ["d"], domain="com.microsoft"))
    (told,) = obstacles(graph)
    assert told.endswith("BitShift, com.microsoft.FusedGemm")


def test_zero_points_and_computed_scales_are_named() -> None:
    graph = lookup_graph(np.ones((4, 4), np.float32), 1)
    graph.graph.initializer.extend(
        [
            onnx.numpy_helper.from_array(np.array(0.5, np.float32), "scale"),
            onnx.numpy_helper.from_array(np.array(3, np.int8), "three"),
            onnx.numpy_helper.from_array(np.array(0, np.int8), "nought"),
        ]
    )
    for name, scale, zero in (
        ("good", "scale", "nought"),
        ("shifted", "scale", "three"),
        ("dynamic", "row", ""),
    ):
        node = helper.make_node("QuantizeLinear", ["row", scale, zero], [f"{name}.out"], name)
        graph.graph.node.append(node)
    assert obstacles(graph) == [
        "scales that are not constants: dynamic",
        "zero points other than 0: shifted",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_the_graph_is_one_tensorrt_lists_and_answers_as_torch(
    precision: str, shop: Shop, repository: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not repository.versions("bst"):
        export(shop.checkpoints["bst"], shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    monkeypatch.setitem(FORMATS, "onnx", CopyOf(repository.version_folder("bst", 1)))
    settings = ExportSettings(
        sample_shoppers=20, tensorrt=TensorRtSettings.model_validate({"precision": precision})
    )
    path = prepare_graph(shop.checkpoints["bst"], shop.dataset, settings, tmp_path, seed=1)
    graph = onnx.load(path)
    assert obstacles(graph) == []
    types = {tensor.data_type for tensor in graph.graph.initializer}
    assert (onnx.TensorProto.FLOAT16 in types) is (precision == "float16")
    assert any(node.op_type == "DequantizeLinear" for node in graph.graph.node) is (precision == "int8")
    assert [tensor.name for tensor in graph.graph.input] == list(BST.inputs)
    module, _ = load_checkpoint(shop.checkpoints["bst"])
    feeds = random_feeds(BST, shoppers=2, candidates=30, items=120, seed=4)
    found = FORMATS["onnx"].open(tmp_path, BST)(feeds)["score"]
    assert found.dtype == np.float32
    assert np.abs(found - torch_scores(module, "bst")(feeds)).max() < 0.15


def test_what_is_missing_is_said_at_once_and_all_of_it(
    monkeypatch: pytest.MonkeyPatch, shop: Shop, tmp_path: Path
) -> None:
    monkeypatch.setattr(tensorrt_engine, "find_spec", lambda name: None)
    monkeypatch.setattr("torch.backends.cuda.is_built", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    wanted = r"missing: the Python package tensorrt \(pip install .*\); an NVIDIA GPU and its driver"
    repository = ModelRepository(tmp_path / "triton", contracts())
    with pytest.raises(ExportRefused, match=wanted):
        export_tensorrt(
            shop.checkpoints["bst"], shop.dataset, repository, ExportSettings(), seed=1, clock=clock
        )
    assert not repository.root.exists()
    with pytest.raises(ExportRefused, match=wanted):
        build_plan(tmp_path / "model.onnx", {}, TensorRtSettings(), tmp_path / "timing.cache")
    with pytest.raises(ExportRefused, match=wanted):
        open_plan(b"", BST)
    monkeypatch.setattr("torch.backends.cuda.is_built", lambda: False)
    assert "a torch built with CUDA" in missing()[1]


def test_an_old_tensorrt_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        __version__ = "8.6.1"

    monkeypatch.setattr(tensorrt_engine, "find_spec", lambda name: object())
    monkeypatch.setattr(tensorrt_engine, "import_module", lambda name: Old)
    assert "TensorRT 10 or newer, this is 8.6.1" in missing()[0]


@pytest.mark.gpu
@needs_gpu
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_an_engine_answers_as_torch_and_its_timings_are_kept(
    precision: str, shop: Shop, tmp_path: Path
) -> None:
    settings = ExportSettings(
        sample_shoppers=20,
        quality_points=60,
        quality_lists=10,
        quality_candidates=60,
        minimum_ndcg=0.9,
        maximum_auc_loss=0.01,
        tensorrt=TensorRtSettings.model_validate({"precision": precision, "likely_candidates": 300}),
    )
    repository = ModelRepository(tmp_path / "triton", contracts())
    version, manifest = export_tensorrt(
        shop.checkpoints["bst"], shop.dataset, repository, settings, seed=3, clock=clock
    )
    assert repository.verify("bst_trt", version) == manifest
    assert set(manifest.files) == {"model.plan"}
    assert manifest.gpu == find_builder().gpu
    assert manifest.tools["tensorrt"] == find_builder().tensorrt
    assert (repository.root / "tensorrt_timing.cache").stat().st_size > 0
    run = open_plan((repository.version_folder("bst_trt", version) / "model.plan").read_bytes(), BST)
    module, _ = load_checkpoint(shop.checkpoints["bst"])
    for candidates in (1, 300, 8192):
        feeds = random_feeds(BST, shoppers=1, candidates=candidates, items=120, seed=5)
        assert np.abs(run(feeds)["score"] - torch_scores(module, "bst")(feeds)).max() < 0.02
    with pytest.raises(ExportRefused, match="outside what the engine was built for"):
        run(random_feeds(BST, shoppers=1, candidates=8193, items=120, seed=5))


@pytest.mark.gpu
@needs_gpu
def test_a_graph_tensorrt_cannot_read_is_refused_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportRefused, match="TensorRT cannot read"):
        build_plan(tmp_path / "model.onnx", {}, TensorRtSettings(), tmp_path / "timing.cache")
