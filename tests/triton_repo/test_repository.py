"""Versions on disk: numbering, checksums, refusal, pruning, configurations."""

import multiprocessing
from pathlib import Path

import msgspec
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from models.contracts import contract, contracts
from testing.triton_models import add_tiny_version, stage_tiny_version
from triton_repo.configuration import config_text
from triton_repo.contract import Contract
from triton_repo.errors import RepositoryError
from triton_repo.manifest import MANIFEST, read_manifest, write_manifest
from triton_repo.repository import ModelRepository
from triton_repo.settings import ModelSettings
from triton_repo.tensors import Tensor, Tensors

CONTRACT = {
    "bst": (
        {
            "history_item": [-1, 50],
            "history_event": [-1, 50],
            "history_age": [-1, 50],
            "profile": [-1, 4],
            "context": [-1, 3],
            "candidate_item": [-1],
            "candidate_row": [-1],
        },
        {"score": [-1]},
    ),
    "mind": (
        {"history_item": [-1, 50], "history_event": [-1, 50], "history_age": [-1, 50]},
        {"interests": [-1, -1, -1]},
    ),
}


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    return ModelRepository(tmp_path / "triton", contracts())


def parse(text: str) -> model_config_pb2.ModelConfig:
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.mark.parametrize("model", ["bst", "mind"])
def test_generated_configurations_hold_the_tensors(model: str) -> None:
    config = parse(config_text(contract(model)))
    inputs, outputs = CONTRACT[model]
    assert (config.name, config.backend, config.max_batch_size) == (model, "onnxruntime", 0)
    assert {tensor.name: list(tensor.dims) for tensor in config.input} == inputs
    assert {tensor.name: list(tensor.dims) for tensor in config.output} == outputs
    assert {tensor.data_type for tensor in config.input} == {model_config_pb2.TYPE_INT32}
    assert {tensor.data_type for tensor in config.output} == {model_config_pb2.TYPE_FP32}
    assert config.version_policy.latest.num_versions == 2


def test_configuring_writes_the_generated_file_or_changes_only_what_is_set(
    repository: ModelRepository,
) -> None:
    repository.configure({"bst": ModelSettings(), "mind": ModelSettings(instances=3, intra_op_threads=2)})
    same, changed = (repository.models_folder / model / "config.pbtxt" for model in ("bst", "mind"))
    assert same.read_text() == config_text(contract("bst"))
    expected = parse(config_text(contract("mind")))
    expected.instance_group[0].count = 3
    expected.parameters["intra_op_thread_count"].string_value = "2"
    assert parse(changed.read_text()) == expected


def test_a_configuration_is_exactly_this() -> None:
    tensors = Tensors(
        (Tensor("text", "bytes", ("B",)), Tensor("numbers", "float32", ("B", 4))),
        (Tensor("vector", "float32", ("B", -1)), Tensor("code", "int64", ("B",))),
    )
    found = parse(config_text(Contract("toy", tensors, warm_up={"B": 2})))
    expected = parse(
        """
        name: "toy"
        backend: "onnxruntime"
        max_batch_size: 0
        input [ { name: "text" data_type: TYPE_STRING dims: [ -1 ] },
                { name: "numbers" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]
        output [ { name: "vector" data_type: TYPE_FP32 dims: [ -1, -1 ] },
                 { name: "code" data_type: TYPE_INT64 dims: [ -1 ] } ]
        version_policy { latest { num_versions: 2 } }
        instance_group [ { count: 1 kind: KIND_AUTO } ]
        parameters { key: "intra_op_thread_count" value { string_value: "1" } }
        parameters { key: "inter_op_thread_count" value { string_value: "1" } }
        model_warmup [ {
          name: "B = 2" batch_size: 0 count: 3
          inputs { key: "text" value { data_type: TYPE_STRING dims: [ 2 ] zero_data: true } }
          inputs { key: "numbers" value { data_type: TYPE_FP32 dims: [ 2, 4 ] zero_data: true } }
        } ]
        """
    )
    assert found == expected


def test_configuring_an_unknown_model_names_the_known_ones(repository: ModelRepository) -> None:
    with pytest.raises(RepositoryError, match=r"'vgg'.*bst, .*mind"):
        repository.configure({"vgg": ModelSettings()})


def test_versions_are_numbered_upwards_and_numbers_are_not_reused_after_pruning(
    repository: ModelRepository,
) -> None:
    assert repository.versions("bst") == []
    assert [add_tiny_version(repository, "bst", seed) for seed in range(12)] == list(range(1, 13))
    assert repository.prune("bst", keep=2, needed=frozenset({3})) == [1, 2, *range(4, 11)]
    assert repository.versions("bst") == [3, 11, 12]
    assert add_tiny_version(repository, "bst", 0) == 13
    assert repository.manifest("bst", 13).checkpoint == "tiny-0"
    assert list((repository.root / "staging").iterdir()) == []


def test_what_a_killed_exporter_staged_is_removed_and_what_a_running_one_did_stays(
    repository: ModelRepository,
) -> None:
    mine = repository.stage("bst")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        running = pool.apply(repository.stage, ("bst",))
        pool.apply(repository.stage, ("mind",))
        repository.prune("bst", keep=1)
        assert running.is_dir()
    pool.join()
    repository.prune("bst", keep=1)
    assert mine.is_dir()
    assert not running.exists()
    (of_another_model,) = (repository.root / "staging").glob("mind-*")
    repository.prune("mind", keep=1)
    assert not of_another_model.exists()


def test_a_changed_file_is_found_and_refused(repository: ModelRepository) -> None:
    for seed in (1, 2):
        add_tiny_version(repository, "bst", seed)
    model = repository.version_folder("bst", 2) / "model.onnx"
    torn = model.read_bytes()[:-10]
    model.write_bytes(torn)
    with pytest.raises(RepositoryError, match=r"2/model\.onnx is corrupt"):
        repository.verify("bst", 2)
    reasons = repository.refuse_corrupt("bst")
    assert list(reasons) == [2]
    assert "model.onnx is corrupt" in reasons[2]
    assert repository.versions("bst") == [1]
    [refused] = (repository.root / "refused").iterdir()
    assert (refused / "model.onnx").read_bytes() == torn


def test_a_staged_folder_that_is_not_what_it_says_is_not_added(repository: ModelRepository) -> None:
    staged = stage_tiny_version(repository, "bst", 1)
    with pytest.raises(RepositoryError, match="holds a version of 'bst', not of 'mind'"):
        repository.add_version("mind", staged)
    (staged / "model.onnx").unlink()
    with pytest.raises(RepositoryError, match=r"model\.onnx is missing"):
        repository.add_version("bst", staged)
    (staged / MANIFEST).write_bytes(b'{"model": "bst"')
    with pytest.raises(RepositoryError, match="not a version manifest"):
        repository.add_version("bst", staged)
    (staged / MANIFEST).unlink()
    with pytest.raises(RepositoryError, match="cannot be read"):
        repository.add_version("bst", staged)
    assert repository.versions("bst") == []


def test_a_manifest_that_records_nothing_is_refused(repository: ModelRepository) -> None:
    staged = stage_tiny_version(repository, "bst", 1)
    manifest = read_manifest(staged)
    (staged / "model.onnx").unlink()
    write_manifest(staged, msgspec.structs.replace(manifest, files={}))
    with pytest.raises(RepositoryError, match="records no file"):
        repository.add_version("bst", staged)
