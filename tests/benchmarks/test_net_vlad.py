"""NetVLAD: residuals by centre as they are defined, and training that reaches the block before them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.net_vlad import BEFORE, FittedNetVlad, NetVlad
from benchmarks.visnet_network import Pictures
from benchmarks.visnet_training import train, vectors
from models.picture_network import PictureNetwork
from testing.picture_shop import draw

PRODUCTS, CHANNELS, PLACES = 6, 112, 14


def pictures(each: int, seed: int) -> Pictures:
    """Of every product, maps with its own pattern of channels in a part that is elsewhere in each."""
    random = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).standard_normal((PRODUCTS, CHANNELS))
    products = np.repeat(np.arange(PRODUCTS), each)
    maps = random.standard_normal((len(products), CHANNELS, PLACES, PLACES))
    for row, (top, left) in enumerate(random.integers(0, PLACES - 6, (len(products), 2))):
        maps[row, :, top : top + 6, left : left + 6] += patterns[products[row], :, None, None]
    nothing = np.zeros((len(products), 0), np.float32)
    return Pictures(
        nothing, nothing.astype(np.uint8), nothing, nothing, products, products, maps.astype(np.float16)
    )


@pytest.fixture(scope="module")
def network() -> NetVlad:
    torch.manual_seed(0)
    return NetVlad(PictureNetwork().eval(), pictures(6, 1), 1).eval()


def test_each_centre_has_the_sum_of_what_is_left_of_it(network: NetVlad) -> None:
    shown = pictures(1, 2)
    assert shown.maps is not None
    with torch.no_grad():
        local = network._local(shown.maps[:1])
        made = network._joined(local)[0].numpy()
        given = network._shares(local)[0].flatten(1).numpy()
    centres, places = network.centres.detach().numpy(), local[0].flatten(1).numpy().T
    expected = np.zeros_like(centres)
    for place, shares in zip(places, given.T, strict=True):
        expected += shares[:, None] * (place - centres)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    expected = expected.ravel() / np.linalg.norm(expected)
    assert made == pytest.approx(expected, abs=1e-4)


def test_a_place_is_given_to_its_nearest_centre_before_training(network: NetVlad) -> None:
    shown = pictures(1, 3)
    assert shown.maps is not None
    with torch.no_grad():
        local = network._local(shown.maps)
        given = network._shares(local).flatten(2).argmax(dim=1)
        places = local.flatten(2).transpose(1, 2)
        nearest = torch.cdist(places, network.centres.expand(len(places), -1, -1)).argmin(dim=2)
    assert (given == nearest).float().mean() > 0.999


def test_training_reaches_the_block_and_leaves_its_statistics(network: NetVlad) -> None:
    photos, catalogue = pictures(3, 4), pictures(1, 5)
    before = {name: value.clone() for name, value in network.block.state_dict().items()}
    start = vectors(network, photos)
    assert np.linalg.norm(start, axis=1) == pytest.approx(1, abs=1e-5)
    train(network, "proxies", photos, catalogue, 1, steps=4, batch=8)
    for name, value in network.block.state_dict().items():
        moved = not torch.equal(value, before[name])
        assert moved == (("weight" in name or "bias" in name) and "running" not in name), name
    shown, others = vectors(network, catalogue), vectors(network, pictures(2, 6))
    own = (others @ shown.T)[np.arange(len(others)), np.repeat(np.arange(PRODUCTS), 2)].mean()
    assert own > (others @ shown.T).mean() + 0.1


def test_a_fixed_block_is_not_trained_and_what_is_behind_it_is() -> None:
    encoder, photos = PictureNetwork().eval(), pictures(3, 7)
    before = [value.clone() for value in encoder.layers[BEFORE].state_dict().values()]
    fitted = FittedNetVlad(encoder, pictures(1, 8), photos, 1, 1, fixed=True)
    network = fitted._network
    torch.manual_seed(1)
    beginning = NetVlad(encoder, photos.take(np.random.default_rng(1).permutation(len(photos.products))), 1)
    for now, then in zip(network.block.state_dict().values(), before, strict=True):
        assert torch.equal(now, then)
    assert not torch.equal(network.centres, beginning.centres)
    made = fitted([draw(1, 2), draw(2, 3)])
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
