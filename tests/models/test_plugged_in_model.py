"""A model that a plug-in registers goes the whole way: training, checkpoint, export, Triton, evaluation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.loaded_models import load_models
from evaluation.loaded_models import services as services_of
from exporters.checkpoint_export import export
from exporters.errors import ExportRefused
from exporters.input_cases import dataset_cases
from exporters.settings import ExportSettings
from models import registry
from models.build_order import build_order
from models.contracts import contract, contracts
from models.training_loop import silent
from recall.query import Query
from registration.plugins import load_plugins
from router.ranking.model_calls import TritonModelCalls
from router.ranking.settings import TritonClientSettings
from router.ranking.triton_client import TritonClient
from shopfront.settings import ModelsSettings
from shopfront.training import train_model
from snapshot.dataset import Dataset
from testing.synthetic_shop import synthetic_dataset
from testing.triton_server import started
from tests.models.toy_model import MODEL
from tests.router.ranking.queries import query
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings, TritonSettings
from triton_repo.tensors import Tensor, Tensors

SETTINGS = ExportSettings(speed_rounds=3, minimum_speed_ratio=0, sample_shoppers=20)
PLUGIN = "tests.models.toy_model"


@pytest.fixture(autouse=True, scope="module")
def plugged_in() -> Iterator[None]:
    load_plugins([PLUGIN], [registry.MODELS])
    yield
    registry.MODELS.remove(PLUGIN)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return synthetic_dataset(tmp_path_factory.mktemp("shop"), users=40, items=60, events=1500)


@pytest.fixture(scope="module")
def checkpoint(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    settings = ModelsSettings.model_validate({"toy": {"network": {"dimension": 6}}}).toy
    return folder / "toy" / train_model("toy", dataset, settings, folder, silent, {}).checkpoint


def test_its_settings_are_a_section_and_a_channel_makes_a_build_train_it() -> None:
    assert [*ModelsSettings().sections()] == [
        "bst",
        "mind",
        "sequential",
        "prerank",
        "forest",
        "rank_net",
        "picture_encoder",
        "toy",
    ]
    assert build_order({"the recall channel moods": ("toy",)}, registry.MODELS) == ["toy"]


@pytest.mark.slow
def test_triton_and_this_process_answer_the_same(dataset: Dataset, checkpoint: Path, tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "triton", contracts())
    exported = export(checkpoint, dataset, repository, SETTINGS, seed=1, clock=lambda: 0.0)
    assert exported.parity.max_abs < 1e-5
    assert "zeros" in [case.name for case in exported.parity.cases]
    models = load_models({"toy": checkpoint}, dataset.manifest.id)
    here = services_of(models).model("toy")
    server = TritonServer(
        repository, tmp_path / "triton.log", TritonSettings(models={"toy": ModelSettings()})
    )
    with started(server):
        asked = replace(query(), model_versions={"toy": "1"})
        asyncio.run(_compare(server.grpc_url, asked, dataset, here))


async def _compare(url: str, asked: Query, dataset: Dataset, here) -> None:  # type: ignore[no-untyped-def]
    settings = TritonClientSettings(url=url, interests_timeout_ms=10_000)
    client = TritonClient(settings)
    there = TritonModelCalls(client, settings).model("toy")
    seen: set[int] = set()
    for case in dataset_cases(MODEL, contract("toy"), dataset, shoppers=20, candidates=0, seed=3):
        answer, expected = await there(asked, case.feeds), await here(asked, case.feeds)
        assert list(answer) == ["vector", "code"]
        assert (answer["vector"].dtype, answer["code"].dtype) == (np.float32, np.int64)
        np.testing.assert_allclose(answer["vector"], expected["vector"], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(answer["code"], expected["code"])
        seen |= set((answer["code"] // 100).tolist())
    # Two words of its vocabulary, and others: empty, and no UTF-8.
    assert seen == {0, 1, 2}
    empty = {"numbers": np.zeros((0, 4), np.float32), "mood": np.empty(0, object)}
    assert (await there(asked, empty))["vector"].shape == (0, 6)
    fixed = {"numbers": np.zeros((1, 4), np.float32), "mood": np.array([b"busy"])}
    assert (await there(asked, fixed))["code"] // 100 == 1
    await client.close()


@pytest.mark.parametrize(
    ("outputs", "complaint"),
    [
        (
            (Tensor("vector", "float32", ("B", -1)), Tensor("code", "int32", ("B",))),
            r"toy: output code of the graph is INT64\[-1\], its model declares int32\[B\]; correct",
        ),
        (
            (Tensor("vector", "float32", ("B", 7)), Tensor("code", "int64", ("B",))),
            r"toy: output vector of the graph is FLOAT\[-1, 6\], its model declares float32\[B, 7\]; correct",
        ),
        (
            (Tensor("vector", "float32", ("B", -1)),),
            r"toy: the graph has outputs .*its model declares \['vector'\]; declare",
        ),
    ],
)
@pytest.mark.slow
def test_tensors_that_the_export_does_not_produce_are_refused(
    dataset: Dataset,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    outputs: tuple[Tensor, ...],
    complaint: str,
) -> None:
    wrong = replace(MODEL, tensors=Tensors(MODEL.tensors.inputs, outputs))
    monkeypatch.setitem(registry.MODELS._members, "toy", wrong)
    with pytest.raises(ExportRefused, match=complaint):
        export(checkpoint, dataset, ModelRepository(tmp_path), SETTINGS, seed=1, clock=lambda: 0.0)
