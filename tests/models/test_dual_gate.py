"""The dual-gate form of MIND against its formulas in plain NumPy."""

from __future__ import annotations

import numpy as np
import torch

from models.dual_gate import FusionGate, closeness, nearest_interest, short_term
from models.mind_network import Mind
from models.mind_settings import MindNetworkSettings
from tests.models.small_features import item_features, shoppers


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def test_the_fusion_gate_is_its_formula() -> None:
    torch.manual_seed(1)
    gate = FusionGate(6)
    e, s, p = random(3, 1, 6), random(3, 4, 6, seed=1), random(3, 4, 6, seed=2)
    w1, w2, w3 = (layer.weight.detach().numpy() for layer in (gate.shopper, gate.short, gate.long))
    bias = gate.shopper.bias.detach().numpy()
    with torch.no_grad():
        joined = gate(e, s, p).numpy()
    for shopper in range(3):
        for k in range(4):
            one, short, long = e[shopper, 0].numpy(), s[shopper, k].numpy(), p[shopper, k].numpy()
            share = 1 / (1 + np.exp(-(w1 @ one + w2 @ short + w3 @ long + bias)))
            np.testing.assert_allclose(
                joined[shopper, k], (1 - share) * short + share * long, rtol=1e-4, atol=1e-5
            )


def test_the_short_term_is_a_softmax_over_what_is_present() -> None:
    long, behaviours = random(2, 3, 5), random(2, 4, 5, seed=1)
    present = torch.tensor([[1.0, 1, 0, 1], [0, 0, 0, 0]])
    short = short_term(long, behaviours, present, 0.5).numpy()
    assert (short[1] == 0).all()
    kept = behaviours[0].numpy()[[0, 1, 3]]
    for k in range(3):
        weight = np.exp(kept @ long[0, k].numpy() / 0.5)
        np.testing.assert_allclose(short[0, k], weight @ kept / weight.sum(), rtol=1e-4)


def test_the_selection_gate_chooses_the_nearest_interest_that_is_active() -> None:
    interests = random(2, 4, 5)
    interests[:, 3] = 0
    targets = -interests[:, :1].repeat(1, 2, 1) + random(2, 2, 5, seed=1) / 10
    chosen = nearest_interest(interests, targets)
    for shopper in range(2):
        for target in range(2):
            product = interests[shopper, :3].numpy() @ targets[shopper, target].numpy()
            assert torch.equal(chosen[shopper, target], interests[shopper, int(product.argmax())])


def test_closeness_is_the_sum_over_pairs() -> None:
    interests = random(3, 4, 5)
    pairs = [sum(float(z[i] @ z[j]) for j in range(4) for i in range(j)) for z in interests.numpy()]
    assert np.isclose(float(closeness(interests)), np.mean(pairs), rtol=1e-4)


def test_newest_behaviours_move_the_interests_of_the_dual_form() -> None:
    torch.manual_seed(3)
    features = item_features()
    model = Mind(MindNetworkSettings(dimension=16, form="dual_gate"), features).eval()
    with torch.no_grad():
        model.item_embedding.weight.normal_(std=0.3)
        history = shoppers([0, 1, 40])[:3]
        interests = model(*history)
        assert (interests.norm(dim=-1) > 0).sum(1).tolist() == [0, 1, 4]
        shorter = Mind(
            MindNetworkSettings(dimension=16, form="dual_gate", short_behaviours=1), features
        ).eval()
        shorter.load_state_dict(model.state_dict())
        assert torch.allclose(shorter(*history)[1], interests[1], atol=1e-6)
        assert not torch.allclose(shorter(*history)[2], interests[2], atol=1e-3)
