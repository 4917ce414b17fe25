"""The served arrangement of BST answers what one history per candidate answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor

from models.bst_network import Bst
from models.bst_replicated import plain_replicated_scores
from models.bst_serving import BstServing
from models.bst_settings import BstNetworkSettings
from tests.models.small_features import ITEMS, PROFILE_COUNTS, candidates, item_features, shoppers

EVERYTHING = 1 << 30
Inputs = tuple[Tensor, ...]


def network(known: tuple[str, ...] = ("category", "brand", "shop"), **settings: object) -> Bst:
    """A network with weights large enough for every part to show; fields not `known` have no code."""
    features = item_features()
    for field in {"category", "brand", "shop"} - set(known):
        features.codes[field][:] = 0
        features.code_counts[field] = 0
    torch.manual_seed(3)
    model = Bst(BstNetworkSettings(**settings), features, PROFILE_COUNTS).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            matrix = weight.dim() == 2 and "embedding" not in name and "last_age" not in name
            weight.normal_(std=weight.shape[-1] ** -0.5 if matrix else 0.5)
    return model


def inputs(lengths: list[int], count: int, seed: int = 0) -> Inputs:
    return (*shoppers(lengths, seed), *candidates(count, len(lengths), seed))


def assert_same(model: Bst, serving: BstServing, call: Inputs) -> Tensor:
    with torch.no_grad():
        expected = plain_replicated_scores(model, *call)
        torch.testing.assert_close(serving(*call), expected, atol=2e-5, rtol=0)
    return expected


@pytest.mark.parametrize("budget", [EVERYTHING, 0])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_it_answers_what_one_history_per_candidate_answers(blocks: int, budget: int) -> None:
    model = network(blocks=blocks)
    expected = assert_same(model, BstServing(model, budget), inputs([0, 1, 7, 50, 23], 64))
    assert expected.std() > 0.03


@pytest.mark.parametrize("known", [(), ("category",), ("brand", "shop")])
def test_fields_without_codes_are_left_out(known: tuple[str, ...]) -> None:
    model = network(known)
    assert_same(model, BstServing(model, EVERYTHING), inputs([50, 3], 40))


@pytest.mark.parametrize(
    "settings",
    [
        {"history_length": 20, "dimension": 64, "heads": 8, "hidden": (96, 48)},
        {"history_length": 1, "heads": 1, "hidden": (16,)},
        {"candidate_blocks": 1},
        {"blocks": 2, "candidate_blocks": 2},
        {"dimension": 12, "heads": 3, "feed_forward": 20, "hidden": (24, 12, 6), "side_dimension": 3},
    ],
)
def test_every_shape_of_network(settings: dict[str, object]) -> None:
    model = network(**settings)
    assert_same(model, BstServing(model, EVERYTHING), inputs([50, 0, 12], 30))


@pytest.mark.parametrize("batch", range(1, 9))
def test_shoppers_in_one_call(batch: int) -> None:
    model = network()
    lengths = [50, 0, 5, 1, 23, 50, 0, 8][:batch]
    assert_same(model, BstServing(model, EVERYTHING), inputs(lengths, 37, seed=batch))


def test_a_shopper_without_candidates_and_one_with_all() -> None:
    model = network()
    call = inputs([10, 20, 30], 25)
    for row in (0, 2):
        rows = torch.full((25,), row, dtype=torch.int32)
        assert_same(model, BstServing(model, EVERYTHING), (*call[:-1], rows))


@pytest.mark.parametrize("lengths", [[0], [1], [50]])
def test_one_candidate(lengths: list[int]) -> None:
    model = network()
    assert_same(model, BstServing(model, EVERYTHING), inputs(lengths, 1))


def test_tables_are_filled_as_far_as_the_budget_goes() -> None:
    model = network()
    full = BstServing(model, EVERYTHING)
    assert list(full.table_bytes) == ["rows", "first_layer"]
    assert full.table_bytes["rows"] == 4 * (ITEMS + 1) * (3 * 32 + 4 + 1)
    assert full.table_bytes["first_layer"] == 4 * (ITEMS + 1) * 256
    narrow = sum(full.table_bytes.values()) - 1
    partly = BstServing(model, narrow)
    assert list(partly.table_bytes) == ["rows"]
    assert_same(model, partly, inputs([50, 3], 40))
    assert BstServing(model, 0).table_bytes == {}


def test_the_original_form_is_not_taken_for_the_masked_one() -> None:
    with pytest.raises(ValueError, match="mask_candidate"):
        BstServing(network(mask_candidate=False), EVERYTHING)


_MODEL = network()
_SERVING = BstServing(_MODEL, EVERYTHING)
_INT32 = np.iinfo(np.int32)
_ANY = st.one_of(
    st.integers(-2, ITEMS + 2),
    st.sampled_from([_INT32.min, _INT32.min + 1, _INT32.max - 1, _INT32.max]),
)


@given(data=st.data())
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_int32_is_answered(data: st.DataObject) -> None:
    batch = data.draw(st.integers(1, 4), "shoppers")
    count = data.draw(st.integers(1, 12), "candidates")
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), "seed"))
    strange = np.array(data.draw(st.lists(_ANY, min_size=1, max_size=8), "values"), np.int64)
    share = data.draw(st.sampled_from([0.0, 0.3, 1.0]), "share of strange values")
    call = []
    for column in inputs(random.integers(0, 51, batch).tolist(), count, int(random.integers(1 << 30))):
        values = column.numpy().copy()
        replaced = random.random(values.shape) < share
        values[replaced] = random.choice(strange, int(replaced.sum())).astype(np.int32)
        call.append(torch.from_numpy(values))
    assert_same(_MODEL, _SERVING, tuple(call))
