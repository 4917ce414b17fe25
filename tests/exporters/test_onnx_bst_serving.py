"""The graph that serves BST answers what one history per candidate answers, at sizes not traced."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from exporters.input_cases import dataset_cases, made_up_cases
from exporters.onnx_export import OnnxFormat
from exporters.runner import Runner
from models.bst import serving_form
from models.bst_network import Bst
from models.bst_replicated import plain_replicated_scores
from models.bst_serving import BstServing
from models.bst_settings import BstNetworkSettings
from models.checkpoint import load_checkpoint
from models.contracts import contract as contract_of
from models.registry import MODELS
from tests.exporters.conftest import Shop
from tests.models.small_features import ITEMS, PROFILE_COUNTS, candidates, item_features, shoppers

pytestmark = pytest.mark.slow

CONTRACT = contract_of("bst")
FORMS: dict[str, tuple[dict[str, object], int]] = {
    "tables": ({}, 1 << 30),
    "no tables": ({}, 0),
    "two blocks, short history": ({"blocks": 2, "history_length": 20, "dimension": 16}, 1 << 30),
    "original": ({"mask_candidate": False, "blocks": 2, "history_length": 20}, 1 << 30),
}


@pytest.fixture(scope="module", params=list(FORMS))
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bst, Runner]:
    settings, table_bytes = FORMS[request.param]
    torch.manual_seed(5)
    model = Bst(BstNetworkSettings(**settings), item_features(), PROFILE_COUNTS).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            matrix = weight.dim() == 2 and "embedding" not in name and "last_age" not in name
            weight.normal_(std=weight.shape[-1] ** -0.5 if matrix else 0.5)
    folder = tmp_path_factory.mktemp("graph")
    OnnxFormat().write(serving_form(model, table_bytes), CONTRACT, [], folder)
    onnx.checker.check_model(folder / "model.onnx", full_check=True)
    return model, OnnxFormat().open(folder, CONTRACT)


def feeds(lengths: list[int], count: int, seed: int = 0) -> dict[str, np.ndarray]:
    columns = (*shoppers(lengths, seed), *candidates(count, len(lengths), seed))
    return {name: column.numpy().copy() for name, column in zip(CONTRACT.inputs, columns, strict=True)}


def assert_same(exported: tuple[Bst, Runner], call: dict[str, np.ndarray]) -> None:
    model, run = exported
    with torch.no_grad():
        expected = plain_replicated_scores(model, **{name: torch.from_numpy(v) for name, v in call.items()})
    np.testing.assert_allclose(run(call)["score"], expected.numpy(), atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("lengths", "count"),
    [([0], 1), ([50], 1), ([1], 300), ([50, 0], 1), ([0, 50, 3, 17, 50, 0, 1, 30], 100), ([5] * 17, 40)],
)
def test_every_size_of_call(exported: tuple[Bst, Runner], lengths: list[int], count: int) -> None:
    assert_same(exported, feeds(lengths, count, seed=count))


def test_ids_codes_and_rows_outside_the_tables(exported: tuple[Bst, Runner]) -> None:
    limits = np.iinfo(np.int32)
    strange = np.array([0, -1, ITEMS + 1, ITEMS + 2, limits.min, limits.max], np.int32)
    random = np.random.default_rng(1)
    call = feeds([50, 20, 0], 60)
    for column in call.values():
        replaced = random.random(column.shape) < 0.3
        column[replaced] = random.choice(strange, int(replaced.sum()))
    assert_same(exported, call)


def test_candidates_of_one_shopper_only(exported: tuple[Bst, Runner]) -> None:
    call = feeds([10, 20, 30], 25)
    call["candidate_row"][:] = 1
    assert_same(exported, call)


def test_only_the_masked_form_is_rearranged() -> None:
    masked = Bst(BstNetworkSettings(), item_features(), PROFILE_COUNTS)
    original = Bst(BstNetworkSettings(mask_candidate=False), item_features(), PROFILE_COUNTS)
    assert isinstance(serving_form(masked, 1 << 20), BstServing)
    assert serving_form(original, 1 << 20) is original


def test_shoppers_of_a_data_set_and_the_edges_of_its_catalogue(shop: Shop) -> None:
    model, record = load_checkpoint(shop.checkpoints["bst"], "bst")
    serving = serving_form(model, 1 << 30)
    cases = dataset_cases(MODELS["bst"], CONTRACT, shop.dataset, shoppers=40, candidates=25, seed=2)
    cases += made_up_cases(CONTRACT, record.items, seed=2)
    for case in cases:
        call = {name: torch.from_numpy(values) for name, values in case.feeds.items()}
        with torch.no_grad():
            expected = plain_replicated_scores(model, **call)
            torch.testing.assert_close(serving(**call), expected, atol=2e-5, rtol=0, msg=case.name)
