"""A small network that names the category of a picture: the first layers of EfficientNet-lite0, and a head.

The trunk has lite0's weights of ImageNet up to the second block of its sixth stage. The head looks at two of
its maps, of an eighth and a thirty-second part of the sides, by convolutions of 1×1 and average pooling.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.picture_network import PictureNetwork

SIDES = (128, 96)
"""Pixels high and wide that it sees."""
_FINE, _COARSE = 12, 14
"""Layers of lite0 up to the end of its fifth stage, and to the second block of its sixth."""
_CHANNELS = (112, 192)
_WIDE = (256, 512)
_DROPPED = 0.3


class Trunk(nn.Module):
    """Pictures uint8[B, 128, 96, 3] (RGB) → maps float32[B, 112, 8, 6] and float32[B, 192, 4, 3]."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, encoder: PictureNetwork) -> None:
        """`encoder`: gives its first layers."""
        super().__init__()
        self.fine, self.coarse = encoder.layers[:_FINE], encoder.layers[_FINE:_COARSE]
        self.register_buffer("mean", encoder.mean, persistent=False)
        self.register_buffer("deviation", encoder.deviation, persistent=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Both maps."""
        x = (pictures.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.deviation
        fine = self.fine(x)
        return fine, self.coarse(fine)


class Head(nn.Module):
    """Both maps → logits float32[B, C]."""

    def __init__(self, classes: int) -> None:
        """With random weights; `classes`: C."""
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU())
            for channels, wide in zip(_CHANNELS, _WIDE, strict=True)
        )
        self.dropped = nn.Dropout(_DROPPED)
        self.classes = nn.Linear(sum(_WIDE), classes)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Logits, from the means over all places."""
        maps = zip(self.parts, (fine, coarse), strict=True)
        pooled = [part(values).mean(dim=(2, 3)) for part, values in maps]
        logits: Tensor = self.classes(self.dropped(torch.cat(pooled, dim=1)))
        return logits


class CategoryNetwork(nn.Module):
    """Pictures uint8[B, 128, 96, 3] (RGB) → logits float32[B, C]."""

    def __init__(self, classes: int) -> None:
        """With random weights; `classes`: C."""
        super().__init__()
        self.trunk, self.head = Trunk(PictureNetwork()), Head(classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(*self.trunk(pictures))
        return logits
