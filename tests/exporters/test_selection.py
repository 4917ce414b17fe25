"""Forms tried beside float32: the choice, the refusals, and what the manifest tells of them."""

from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from pydantic import ValidationError
from rich.console import Console

from exporters import selection
from exporters.checkpoint_export import ExportedVersion, export
from exporters.errors import ExportRefused
from exporters.formats import FORMATS, REWRITES, known_formats
from exporters.graph_rewrite import GraphRewrite, InTurn
from exporters.input_cases import InputCase, dataset_cases, made_up_cases
from exporters.int8_matmul import StaticInt8
from exporters.onnx_export import OnnxFormat
from exporters.quantised_tables import QuantisedTables
from exporters.ranking_sample import ranking_sample
from exporters.runner import Feeds, Runner
from exporters.settings import ExportSettings
from models.contracts import contract as contract_of
from models.registry import MODELS
from shopfront.progress import Progress
from testing.triton_server import infer, tiny_triton
from tests.exporters.conftest import SETTINGS, CopyOf, Shop, clock
from triton_repo.contract import Contract
from triton_repo.control import TritonControl, publish_version
from triton_repo.manifest import CandidateRecord, write_manifest
from triton_repo.repository import ModelRepository

BST = contract_of("bst")
SMALL = ExportSettings(
    sample_shoppers=20,
    speed_rounds=3,
    speed_candidates=40,
    minimum_speed_ratio=0,
    quality_points=60,
    quality_lists=10,
    quality_candidates=60,
)


class Spoilt:
    """Writes float32 with every large weight replaced by `value` of it."""

    tools: Sequence[str] = ("onnx",)

    def __init__(self, value) -> None:  # type: ignore[no-untyped-def]
        self.value = value

    def rewrite(
        self, graph: onnx.ModelProto, contract: Contract, samples: Sequence[InputCase]
    ) -> onnx.ModelProto:
        made = onnx.ModelProto.FromString(graph.SerializeToString())
        for tensor in made.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and int(np.prod(tensor.dims)) > 200:
                spoilt = self.value(numpy_helper.to_array(tensor)).astype(np.float32)
                tensor.CopyFrom(numpy_helper.from_array(spoilt, tensor.name))
        return made


@pytest.fixture
def add_rewrite() -> Iterator[Callable[[str, GraphRewrite], None]]:
    """Registers a form for the length of a test."""
    yield lambda name, rewrite: REWRITES.add(name, rewrite, source="tests")
    REWRITES.remove("tests")


@pytest.fixture
def own(
    tmp_path: Path, shop: Shop, repository: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> ModelRepository:
    """An empty repository; what goes into it is written from the session's float32 export, not by torch."""
    if not repository.versions("bst"):
        export(shop.checkpoints["bst"], shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    monkeypatch.setitem(FORMATS, "onnx", CopyOf(repository.version_folder("bst", 1)))
    return ModelRepository(tmp_path / "triton")


def exported_with(
    shop: Shop, repository: ModelRepository, *formats: str, **changes: object
) -> ExportedVersion:
    settings = SMALL.model_copy(update={"formats": formats, **changes})
    return export(shop.checkpoints["bst"], shop.dataset, repository, settings, seed=3, clock=clock)


def by_name(version: ExportedVersion) -> dict[str, CandidateRecord]:
    return {record.format: record for record in version.candidates}


@pytest.mark.slow
def test_every_form_is_tried_and_told(shop: Shop, own: ModelRepository) -> None:
    version = exported_with(shop, own, *known_formats(), maximum_auc_loss=1, minimum_ndcg=1e-9)
    assert own.verify("bst", version.version) == version.manifest
    assert [record.format for record in version.candidates] == known_formats()
    assert [record.format for record in version.candidates if record.verdict == "served"] == [
        version.manifest.format
    ]
    tables = by_name(version)["onnx_int8_tables"]
    # 120 items: no table is large enough to be worth it, which is said.
    assert tables.verdict == "refused"
    assert "no gathered float32 table" in tables.reason
    float32 = by_name(version)["onnx"]
    assert float32.ratio == pytest.approx(1.0)
    assert (float32.auc_loss, float32.ndcg_50) == (0.0, pytest.approx(1.0))
    for record in version.candidates:
        if record.bytes is not None:
            assert record.rows_per_s is not None
            assert record.rows_per_s > 0
            assert record.auc_loss is not None
            assert record.candidates == 40


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "changes", "complaint"),
    [
        (lambda weights: weights * np.nan, {}, "answers NaN or infinity"),
        (lambda weights: np.roll(weights, 1, axis=-1), {"quantised_tolerance": 1e9}, "NDCG@50"),
        (lambda weights: weights * 0, {"quantised_tolerance": 1e-9}, "differs from torch by"),
    ],
    ids=["nan", "shuffled", "zero"],
)
def test_a_broken_form_is_refused_and_told(  # type: ignore[no-untyped-def]
    shop: Shop, own: ModelRepository, add_rewrite, value, changes, complaint: str
) -> None:
    add_rewrite("broken", Spoilt(value))
    version = exported_with(shop, own, "onnx", "broken", **changes)
    assert version.manifest.format == "onnx"
    record = by_name(version)["broken"]
    assert record.verdict == "refused"
    assert complaint in record.reason
    shown = StringIO()
    Progress(Console(file=shown, width=300)).exported("bst", version.candidates)
    assert "refused bst broken" in shown.getvalue()
    assert complaint in shown.getvalue()
    with pytest.raises(ExportRefused, match="no form of bst passed: broken:"):
        exported_with(shop, own, "broken", **changes)
    assert own.versions("bst") == [1]
    assert list((own.root / "staging").iterdir()) == []


@pytest.mark.slow
def test_without_labelled_points_only_float32_is_served(
    shop: Shop,
    own: ModelRepository,
    monkeypatch: pytest.MonkeyPatch,
    add_rewrite: Callable[[str, GraphRewrite], None],
) -> None:
    add_rewrite("same", Spoilt(lambda weights: weights))
    cuts = shop.dataset.manifest.cuts
    monkeypatch.setattr(
        "exporters.ranking_sample.cut_points",
        lambda log, samples, watched, random, **limits: _no_points(log, samples, cuts.test_from, random),
    )
    version = exported_with(shop, own, "onnx", "same")
    assert version.manifest.format == "onnx"
    assert "no labelled candidates" in by_name(version)["same"].reason
    assert by_name(version)["same"].auc is None


def _no_points(log, samples, moment: int, random):  # type: ignore[no-untyped-def]
    from models.samples import cut_points

    return cut_points(log, samples, (moment, moment), random, max_points=1)


@pytest.mark.slow
def test_mind_is_float32_whatever_is_tried(shop: Shop, tmp_path: Path) -> None:
    own = ModelRepository(tmp_path / "triton")
    version = export(shop.checkpoints["mind"], shop.dataset, own, SMALL, seed=3, clock=clock)
    assert version.manifest.format == "onnx"
    assert version.candidates == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx_int8", "onnx_int8_dynamic", "onnx_int8_symmetric"])
def test_a_quantised_form_answers_at_the_edges(
    name: str, shop: Shop, repository: ModelRepository, tmp_path: Path
) -> None:
    if not repository.versions("bst"):
        export(shop.checkpoints["bst"], shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    graph = onnx.load(repository.version_folder("bst", 1) / "model.onnx")
    cases = made_up_cases(BST, shop.dataset.catalogue.size, 1)
    small = REWRITES[name]
    made = type(small)(**{**vars(small), "least_weights": 1}).rewrite(graph, BST, cases[:1])  # type: ignore[call-arg]
    onnx.save(made, tmp_path / "model.onnx")
    run = OnnxFormat().open(tmp_path, BST)
    for case in cases:
        scores = run(case.feeds)["score"]
        assert scores.shape == case.feeds["candidate_item"].shape
        assert np.isfinite(scores).all(), case.name
        assert ((scores >= 0) & (scores <= 1)).all()


def test_a_form_is_tried_once() -> None:
    with pytest.raises(ValidationError, match="each form is tried once, but onnx, onnx repeats one"):
        ExportSettings(formats=("onnx", "onnx"))


def test_the_plainest_of_the_fast_and_small_is_served() -> None:
    def picked(*forms: tuple[str, float, int], refused: Sequence[str] = ()) -> str | None:
        """forms: name, speed as a multiple of float32's, bytes."""
        opened = {name: selection._Form(Path(), lambda feeds: feeds, None, size) for name, _, size in forms}  # type: ignore[arg-type,return-value]
        speeds = {name: (speed * 1000, speed) for name, speed, _ in forms}
        name, reasons = selection._pick(
            [name for name, _, _ in forms], opened, speeds, dict.fromkeys(refused, "bad"), ExportSettings()
        )
        assert set(reasons) == {name for name, _, _ in forms} - set(refused)
        return name

    assert picked(("onnx", 1.0, 100), ("int8", 1.04, 90)) == "onnx"
    assert picked(("onnx", 1.0, 100), ("int8", 1.06, 90)) == "int8"
    assert picked(("onnx", 1.0, 100), ("int8", 1.06, 90), refused=["int8"]) == "onnx"
    assert picked(("onnx", 1.0, 100), ("tables", 0.99, 30)) == "tables"
    assert picked(("onnx", 1.0, 100), ("tables", 0.90, 30)) == "onnx"
    assert picked(("onnx", 1.0, 100), ("int8", 1.2, 95), ("tables", 1.0, 30), ("both", 1.17, 29)) == "both"
    assert picked(("onnx", 1.0, 100), ("int8", 1.2, 95), ("dynamic", 1.22, 95)) == "int8"
    assert picked(("onnx", 1.0, 105), ("int8", 1.0, 93), ("both", 1.0, 64)) == "both"
    assert picked(("onnx", 1.0, 100), ("eight", 1.0, 50), ("four", 1.0, 30)) == "four"
    assert picked(("onnx", 1.0, 100), refused=["onnx"]) is None


@pytest.mark.slow
def test_the_sample_is_real_and_repeats(shop: Shop) -> None:
    sizes = {"points": 60, "negatives": 12, "lists": 8, "list_candidates": 50}
    first, again, other = (
        ranking_sample(MODELS["bst"], BST, shop.dataset, **sizes, seed=seed) for seed in (1, 1, 2)
    )
    assert first
    assert all(
        (a[name] == b[name]).all() for a, b in zip(first.labelled, again.labelled, strict=True) for name in a
    )
    assert any(
        (a["history_item"] != b["history_item"]).any() for a, b in zip(first.lists, other.lists, strict=True)
    )
    assert sum(len(feeds["candidate_item"]) for feeds in first.labelled) == len(first.labels)
    assert 0.02 < first.labels.mean() < 0.5
    for feeds in first.lists:
        assert len(np.unique(feeds["candidate_item"])) == len(feeds["candidate_item"]) <= 50
        assert feeds["candidate_item"].min() >= 1
        assert not feeds["candidate_row"].any()
    requests = selection.timed_requests(BST, first, 77, requests=3)
    assert [len(feeds["candidate_item"]) for feeds in requests] == [77] * 3
    assert list(requests[0]) == list(BST.inputs)


@pytest.mark.slow
def test_triton_serves_quantised_versions_with_the_accelerator_configured(
    shop: Shop, repository: ModelRepository, tmp_path: Path
) -> None:
    if not repository.versions("bst"):
        export(shop.checkpoints["bst"], shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    (case,) = dataset_cases(MODELS["bst"], BST, shop.dataset, shoppers=12, candidates=30, seed=5)
    graph = onnx.load(repository.version_folder("bst", 1) / "model.onnx")
    rewrites = {
        name: REWRITES[name]
        for name in ("onnx_int8", "onnx_int8_integer_operators", "onnx_int8_dynamic", "onnx_fp16")
    }
    rewrites["tables"] = InTurn((QuantisedTables(4, least_values=1, least_width=9), StaticInt8()))
    rewrites["wide tables"] = QuantisedTables(8, least_values=1, least_width=9)
    with tiny_triton(tmp_path, models={"bst": {"accelerator": "tensorrt"}, "mind": {}}) as server:
        for name, rewrite in rewrites.items():
            staged = server.repository.stage("bst")
            onnx.save(rewrite.rewrite(graph, BST, [case]), staged / "model.onnx")
            write_manifest(staged, msgspec.structs.replace(repository.manifest("bst", 1), files={}))
            version = server.repository.add_version("bst", staged)
            with TritonControl(server.grpc_url, 30) as control:
                publish_version(control, server.repository, "bst", version)
            run = OnnxFormat().open(server.repository.version_folder("bst", version), BST)
            answer = infer(server.grpc_url, "bst", case.feeds, str(version))
            expected = each_shopper_alone(run, case.feeds)
            np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5, err_msg=name)


def each_shopper_alone(run: Runner, feeds: Feeds) -> np.ndarray:
    """Scores as the embedded server gives them: the range of a dynamic INT8 graph is that of one shopper."""
    scores = np.empty(len(feeds["candidate_row"]), np.float32)
    for shopper in range(len(feeds["history_item"])):
        own = feeds["candidate_row"] == shopper
        alone = {
            name: values[own] if name.startswith("candidate") else values[shopper : shopper + 1]
            for name, values in feeds.items()
        }
        alone["candidate_row"] = np.zeros(int(own.sum()), np.int32)
        scores[own] = run(alone)["score"]
    return scores
