"""The BST network: its two forms, unknown ids, empty histories, cross features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.bst_network import Bst
from models.bst_replicated import plain_replicated_scores
from models.bst_settings import BstNetworkSettings
from tests.models.small_features import ITEMS, PROFILE_COUNTS, candidates, item_features, shoppers

LENGTHS = [0, 1, 7, 50, 23]


def network(**settings: object) -> Bst:
    """A network with weights large enough for every part to show in the score."""
    torch.manual_seed(3)
    model = Bst(BstNetworkSettings(**settings), item_features(), PROFILE_COUNTS).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embedding" in name or "last_age" in name:
                weight.normal_(std=0.5)
    return model


FORMS = [
    {"mask_candidate": masked, "blocks": blocks, "history_length": length}
    for masked in (True, False)
    for blocks in (1, 3)
    for length in (50, 20)
] + [{"mask_candidate": True, "blocks": 1, "candidate_blocks": 2}]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_shared_form_equals_one_history_per_candidate(form: dict[str, object]) -> None:
    model = network(**form)
    user, (items, rows) = shoppers(LENGTHS), candidates(64, len(LENGTHS))
    with torch.no_grad():
        shared = model(*user, items, rows)
        plain = plain_replicated_scores(model, *user, items, rows)
    assert shared.std() > 0.001
    torch.testing.assert_close(shared, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_training_form_has_the_values_and_gradients_of_the_plain_one(form: dict[str, object]) -> None:
    model = network(**form)
    user = shoppers(LENGTHS)
    grid = torch.arange(1, 1 + len(LENGTHS) * 4).reshape(len(LENGTHS), 4)
    rows = torch.arange(len(LENGTHS)).repeat_interleave(4)
    weight = torch.linspace(-1, 1, grid.numel())
    with torch.no_grad():
        torch.testing.assert_close(
            model.grouped_logits(*user, grid).flatten(), model.logits(*user, grid.flatten(), rows),
            atol=1e-4, rtol=0,
        )  # fmt: skip
    found = _gradients(model, (torch.sigmoid(model.grouped_logits(*user, grid).flatten()) * weight).sum())
    plain = (plain_replicated_scores(model, *user, grid.flatten(), rows) * weight).sum()
    for name, gradient in _gradients(model, plain).items():
        assert torch.isfinite(gradient).all(), name
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4, msg=name)
    assert found["blocks.0.query.weight"].abs().max() > 1e-4


def _gradients(model: Bst, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {
        name: weight.grad.to_dense().clone() if weight.grad is not None else torch.zeros_like(weight)
        for name, weight in model.named_parameters()
    }


def test_a_network_with_a_shorter_history_reads_the_newest_behaviours_it_is_sent() -> None:
    model = network(history_length=20)
    user, (items, rows) = shoppers([50, 20, 3]), candidates(30, 3)
    history, facts = user[:3], user[3:]
    changed, newest = [], []
    for column in history:
        rest = column.clone()
        rest[:, 20:] = rest[:, 20:].flip(1)
        changed.append(rest)
        newest.append(column[:, :20])
    with torch.no_grad():
        scores = model(*user, items, rows)
        assert torch.equal(model(*changed, *facts, items, rows), scores)
        torch.testing.assert_close(model(*newest, *facts, items, rows), scores)
        changed[0][:, 19] = changed[0][:, 19] % ITEMS + 1
        assert not torch.equal(model(*changed, *facts, items, rows)[rows == 0], scores[rows == 0])


def test_blocks_of_the_candidate_alone_belong_to_the_masked_form() -> None:
    with pytest.raises(ValueError, match="candidate_blocks"):
        BstNetworkSettings(candidate_blocks=1, mask_candidate=False)


def test_history_sees_the_candidate_only_in_the_original_form() -> None:
    masked, original = network(), network(mask_candidate=False)
    original.load_state_dict(masked.state_dict())
    user, (items, rows) = shoppers(LENGTHS), candidates(64, len(LENGTHS))
    with torch.no_grad():
        apart = (masked(*user, items, rows) - original(*user, items, rows)).abs()
        plain = plain_replicated_scores(original, *user, items, rows)
        torch.testing.assert_close(original(*user, items, rows), plain, atol=1e-6, rtol=0)
    # Where there is no history, nothing can look at the candidate, and the forms agree.
    assert apart[rows == 0].max() < 1e-6
    assert apart[rows == 3].max() > 1e-4


def test_a_candidate_does_not_depend_on_the_others() -> None:
    model = network()
    user, (items, rows) = shoppers(LENGTHS), candidates(20, len(LENGTHS))
    with torch.no_grad():
        together = model(*user, items, rows)
        alone = [
            model(*(column[row : row + 1] for column in user), items[[n]], torch.zeros(1, dtype=torch.int32))
            for n, row in enumerate(rows.tolist())
        ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)


def test_ids_outside_the_tables_score_as_unknown() -> None:
    model = network()
    item, event, age, profile, context = shoppers([10])
    strange = torch.tensor([0, -1, ITEMS + 1, 2**31 - 1, -(2**31)], dtype=torch.int32)
    rows = torch.zeros(5, dtype=torch.int32)
    with torch.no_grad():
        scores = model(item, event, age, profile, context, strange, rows)
        wild = item.clone()
        wild[0, 3], wild[0, 5] = ITEMS + 7, -4
        zeroed = wild.clamp(min=0) * (wild <= ITEMS)
        torch.testing.assert_close(scores, scores[:1].expand(5))
        torch.testing.assert_close(
            model(wild, event, age, profile + 1000, context - 1000, strange[:1], rows[:1]),
            model(zeroed, event, age, profile * 0, context * 0, strange[:1], rows[:1]),
        )


def test_empty_history_is_finite_and_follows_the_profile() -> None:
    model = network()
    nothing = torch.zeros(2, 50, dtype=torch.int32)
    profile = torch.tensor([[1, 1, 0, 1], [2, 3, 0, 2]], dtype=torch.int32)
    context = torch.ones(2, 3, dtype=torch.int32)
    items = torch.tensor([5, 5], dtype=torch.int32)
    with torch.no_grad():
        scores = model(nothing, nothing, nothing, profile, context, items, torch.tensor([0, 1]))
    assert torch.isfinite(scores).all()
    assert abs(scores[0] - scores[1]) > 1e-5


def test_gradients_are_finite_for_an_empty_history() -> None:
    model = network().train()
    loss = model.grouped_logits(*shoppers([0, 3]), torch.tensor([[1, 2], [3, 4]])).sum()
    loss.backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        gradient = weight.grad.coalesce().values() if weight.grad.is_sparse else weight.grad
        assert torch.isfinite(gradient).all(), name


def test_only_common_items_have_an_embedding_of_their_own() -> None:
    features = item_features()
    users = np.expm1(features.popularity)
    model = Bst(BstNetworkSettings(min_item_users=10), features, PROFILE_COUNTS)
    assert model.item_embedding.num_embeddings == 1 + int((users[1:] > 9.5).sum())
    rare = np.flatnonzero(users < 9.5)
    assert (model.tables.id_row[rare] == 0).all()
