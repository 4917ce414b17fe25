"""The whole of lite0 as a network that names categories: its layers, and what of it is trained."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.lite0_network import WHOLE
from models.category_network import CategoryNetwork
from models.picture_network import PictureNetwork


def test_all_layers_are_kept_and_all_but_the_first_are_trained() -> None:
    torch.manual_seed(1)
    encoder = PictureNetwork()
    kernels = [each.kernel_size for each in encoder.layers.modules() if isinstance(each, nn.Conv2d)]
    pictures = torch.randint(0, 256, (2, 64, 48, 3), dtype=torch.uint8)
    network = CategoryNetwork((2, 3), encoder, pictures, WHOLE).eval()
    assert [each.kernel_size for each in network.modules() if isinstance(each, nn.Conv2d)] == kernels
    assert not any(isinstance(each, nn.BatchNorm2d) for each in network.modules())
    logits = network(pictures)
    assert [each.shape for each in logits] == [(2, 2), (2, 3)]
    torch.cat(logits, dim=1).square().sum().backward()
    trained = {name for name, each in network.named_parameters() if each.grad is not None}
    # Biases that folding made are not trained.
    assert trained == {
        name
        for name, _ in network.named_parameters()
        if name.startswith("head.") or (not name.startswith("early.") and name.endswith(".weight"))
    }
    # What the last stage and the layer after it make reaches the logits, and nothing else of the two maps.
    nothing, last = torch.full((2, 112, 4, 3), torch.nan), torch.rand(2, 1280, 2, 2)
    once = network.head(nothing, last)
    turned = network.head(nothing, last.flip(2, 3))
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(once, turned, strict=True))
