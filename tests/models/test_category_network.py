"""The small network that names categories: its form, what its training sees, and how it averages weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from models.category_network import SIDES, CategoryNetwork
from models.category_training import usual_passes
from models.picture_distortion import distort
from models.picture_network import Convolution, PictureNetwork


def pictures(count: int, seed: int = 1) -> torch.Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 256, (count, 64, 48, 3), dtype=np.uint8))


def test_it_has_small_kernels_alone_and_one_output_per_level() -> None:
    torch.manual_seed(1)
    network = CategoryNetwork((3, 7), PictureNetwork(), pictures(8)).eval()
    kernels = {each.kernel_size for each in network.modules() if isinstance(each, nn.Conv2d)}
    assert kernels == {(1, 1), (3, 3)}
    kinds = {type(each) for part in (network.early, network.fine, network.coarse) for each in part.modules()}
    assert nn.BatchNorm2d not in kinds
    assert not any(each.requires_grad for each in network.early.parameters())
    with torch.no_grad():
        for sides in (SIDES, (96, 72)):
            logits = network(torch.zeros((2, *sides, 3), dtype=torch.uint8))
            assert [each.shape for each in logits] == [(2, 3), (2, 7)]


def test_normalisations_become_those_of_the_examples() -> None:
    torch.manual_seed(2)
    examples = pictures(64)
    network = CategoryNetwork((2,), PictureNetwork(), examples)
    with torch.no_grad():
        pixels = (examples.permute(0, 3, 1, 2).float() - network.mean) / network.deviation
        first = network.early[0]
        made = first.weights(nn.functional.pad(pixels, (0, 1, 0, 1)))
    np.testing.assert_allclose(made.mean(dim=(0, 2, 3)).numpy(), 0, atol=1e-3)
    np.testing.assert_allclose(made.std(dim=(0, 2, 3)).numpy(), 1, atol=0.06)


def test_folding_changes_nothing_and_shrinking_keeps_the_middle() -> None:
    torch.manual_seed(3)
    layer = Convolution(4, 4, 5, groups=4).eval()
    assert isinstance(layer.normalised, nn.BatchNorm2d)
    layer.normalised.running_mean = torch.randn(4)
    layer.normalised.running_var = torch.rand(4) + 0.5
    maps = torch.randn(2, 4, 9, 9)
    middle = layer.weights.weight[:, :, 1:4, 1:4].clone()
    with torch.no_grad():
        before = layer(maps)
        layer.fold()
        np.testing.assert_allclose(layer(maps).numpy(), before.numpy(), atol=1e-5)
        layer.fold()
        np.testing.assert_allclose(layer(maps).numpy(), before.numpy(), atol=1e-5)
        unfolded = Convolution(4, 4, 5, groups=4)
        unfolded.weights.weight.data[:, :, 1:4, 1:4] = middle
        unfolded.shrink(3)
        assert torch.equal(unfolded.weights.weight, middle)
        assert unfolded(maps).shape == maps.shape
        unfolded.shrink(3)
        assert torch.equal(unfolded.weights.weight, middle)


def test_distortions_keep_white_and_are_drawn_by_the_seed() -> None:
    white = np.full((16, 40, 30, 3), 255, np.uint8)
    made = distort(white, (96, 72), np.random.default_rng(1))
    assert made.shape == (16, 3, 96, 72)
    np.testing.assert_allclose(made.numpy(), 255, atol=1e-3)
    # A dark left half: mirrored about as often as not, darker or brighter, and never outside the levels.
    halves = white.copy()
    halves[:, :, :15] = 60
    shown = distort(halves, (40, 30), np.random.default_rng(2))
    left = shown[:, :, 10:30, :10].mean(dim=(1, 2, 3)) < shown[:, :, 10:30, -10:].mean(dim=(1, 2, 3))
    assert 2 < left.sum() < 14
    assert shown.min() >= 0
    assert shown.max() <= 255
    assert len({round(float(value)) for value in shown.amin(dim=(1, 2, 3))}) > 8
    again = distort(halves, (40, 30), np.random.default_rng(2))
    assert torch.equal(shown, again)


def test_few_pictures_are_seen_more_often() -> None:
    assert usual_passes(100_000) == usual_passes(14_000) == 16
    assert usual_passes(640) == 80
    assert usual_passes(3) == 800
