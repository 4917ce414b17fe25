"""The MIND network: shape of its interests, unknown ids, label-aware attention."""

from __future__ import annotations

import torch

from models.mind_network import Mind, squash
from models.mind_settings import MindNetworkSettings
from tests.models.small_features import ITEMS, item_features, shoppers


def network(**settings: object) -> Mind:
    torch.manual_seed(3)
    model = Mind(MindNetworkSettings(dimension=16, **settings), item_features(), routing_seed=5).eval()
    with torch.no_grad():
        model.item_embedding.weight.normal_(std=0.3)
        model.contract.weight.normal_(std=0.1)
    return model


def test_interests_have_length_one_and_grow_with_the_history() -> None:
    model = network(interests=4)
    lengths = [0, 1, 2, 3, 4, 7, 8, 16, 50]
    with torch.no_grad():
        interests = model(*shoppers(lengths)[:3])
    assert interests.shape == (len(lengths), 4, 16)
    size = interests.norm(dim=-1)
    # K' = max(1, min(K, floor(log2 |history|))), none without a history.
    assert (size > 0).sum(1).tolist() == [0, 1, 1, 1, 2, 2, 3, 4, 4]
    torch.testing.assert_close(size[size > 0], torch.ones(int((size > 0).sum())))


def test_interests_of_a_long_history_differ() -> None:
    with torch.no_grad():
        interests = network()(*shoppers([50])[:3])[0]
    cosine = interests @ interests.T - torch.eye(4)
    assert cosine.max() < 0.999


def test_item_vectors_have_length_one_and_the_unknown_item_none() -> None:
    vectors = network().item_vectors()
    assert vectors.shape == (ITEMS + 1, 16)
    assert (vectors[0] == 0).all()
    torch.testing.assert_close(vectors[1:].norm(dim=-1), torch.ones(ITEMS))


def test_padding_and_unknown_items_shape_no_interest() -> None:
    model = network()
    item, event, age, *_ = shoppers([20])
    # Nine known items in both, so the number of interests is the same; behind them only unknown ones.
    unknown = item.clone()
    unknown[0, 9:] = ITEMS + 5
    short_event = event.clone()
    short_event[0, 9:] = 0
    with torch.no_grad():
        torch.testing.assert_close(model(unknown, event, age), model(item, short_event, age))
        only_unknown = model(torch.full_like(item, -3), event, age)
    assert (only_unknown == 0).all()


def test_label_aware_attention_picks_the_nearest_interest_when_the_power_is_high() -> None:
    interests = torch.eye(4, 16)[None]
    target = torch.nn.functional.normalize(torch.tensor([[[0.9, 0.5, 0.1] + [0.0] * 13]]), dim=-1)
    sharp = network(power=8.0).label_aware(interests, target)[0, 0]
    even = network(power=0.0).label_aware(interests, target)[0, 0]
    torch.testing.assert_close(sharp, interests[0, 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(even[:4], torch.full((4,), 0.5), atol=1e-5, rtol=0)


def test_inactive_interests_get_no_weight() -> None:
    interests = torch.zeros(1, 4, 16)
    interests[0, 0, 0] = 1
    target = torch.zeros(1, 1, 16)
    target[0, 0, 1] = 1
    torch.testing.assert_close(network(power=0.0).label_aware(interests, target)[0, 0], interests[0, 0])


def test_squash_keeps_direction_and_bounds_length() -> None:
    vectors = torch.randn(5, 8) * torch.tensor([0.01, 0.1, 1, 10, 100])[:, None]
    length = vectors.norm(dim=-1)
    squashed = squash(vectors)
    torch.testing.assert_close(squashed.norm(dim=-1), length**2 / (1 + length**2), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.cosine_similarity(squashed, vectors), torch.ones(5), atol=1e-4, rtol=0)


def test_routing_is_the_same_every_time() -> None:
    history = shoppers([50, 9])[:3]
    with torch.no_grad():
        assert torch.equal(network()(*history), network()(*history))
