"""A small network that names the category of a picture: the first layers of EfficientNet-lite0, and a head.

It starts from lite0's weights of ImageNet up to the second block of its sixth stage, with the middle 3×3 of
its kernels of 5×5, so that it consists of convolutions of 1×1 and 3×3 and of average pooling alone. The head
looks at two of its maps, of a sixteenth and a thirty-second part of the sides. Normalisations are part of the
weights from the start: training and the written graph compute the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.picture_network import Convolution, PictureNetwork

SIDES = (128, 96)
"""Pixels high and wide that it sees."""
_CHANNELS = (112, 192)
_WIDE = (256, 512)
_DROPPED = 0.2
_MEASURED = 64


class Head(nn.Module):
    """Maps float32[B, 112, h, w] and float32[B, 192, h / 2, w / 2] → logits float32[B, C] of each level."""

    def __init__(self, classes: Sequence[int]) -> None:
        """With random weights; `classes`: C of each level."""
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6())
            for channels, wide in zip(_CHANNELS, _WIDE, strict=True)
        )
        self.dropped = nn.Dropout(_DROPPED)
        self.levels = nn.ModuleList(nn.Linear(sum(_WIDE), count) for count in classes)

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, ...]:
        """Logits, from the means over all places."""
        maps = zip(self.parts, (fine, coarse), strict=True)
        whole = self.dropped(torch.cat([part(values).mean(dim=(2, 3)) for part, values in maps], dim=1))
        return tuple(level(whole) for level in self.levels)


@dataclass(frozen=True)
class Form:
    """Which layers of lite0 a network that names categories takes.

    Attributes:
        early: those at the start that training leaves as they are.
        fine: those up to the first map that the head looks at.
        coarse: those up to the second.
        kernel: the largest; of larger ones the middle stays.
        measured: pixels high and wide of the pictures by which normalisations are measured.
        head: made for C of each level; maps both maps → logits float32[B, C] of each level.
    """

    early: int
    fine: int
    coarse: int
    kernel: int
    measured: tuple[int, int]
    head: Callable[[Sequence[int]], nn.Module]


SMALL = Form(early=4, fine=12, coarse=14, kernel=3, measured=(96, 72), head=Head)
"""Up to the end of lite0's second and its fifth stage, and to the second block of its sixth."""


class CategoryNetwork(nn.Module):
    """Pictures uint8[B, H, W, 3] (RGB) → logits float32[B, C] of each level of categories.

    Attributes:
        early: layers that training leaves as they are.
        fine: layers up to the first map that the head looks at.
        coarse: layers from there to the second.
        head: starts from random weights.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, classes: Sequence[int], encoder: PictureNetwork, examples: Tensor, form: Form = SMALL
    ) -> None:
        """With the encoder's first layers, which it takes over, and a head of random weights.

        Args:
            classes: C of each level, such as categories and the types of goods within them.
            encoder: has its weights; not to be used any more.
            examples: uint8[n, H, W, 3], by which normalisations are measured after the change of kernels.
            form: which layers, and what names categories by them.
        """
        super().__init__()
        self.register_buffer("mean", encoder.mean, persistent=False)
        self.register_buffer("deviation", encoder.deviation, persistent=False)
        first = list(encoder.layers.children())[: form.coarse]
        layers = nn.Sequential(*first)
        convolutions = [each for each in layers.modules() if isinstance(each, Convolution)]
        for each in convolutions:
            each.shrink(form.kernel)
        self._measure(layers, examples)
        for each in convolutions:
            each.fold()
        self.early = nn.Sequential(*first[: form.early]).requires_grad_(False)
        self.fine = nn.Sequential(*first[form.early : form.fine])
        self.coarse = nn.Sequential(*first[form.fine :])
        self.head = form.head(classes)

    @property
    def early_convolutions(self) -> int:
        """How many `early` has."""
        return sum(isinstance(each, nn.Conv2d) for each in self.early.modules())

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Logits of each level."""
        return self.logits(pictures.permute(0, 3, 1, 2).to(torch.float32))

    def logits(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Logits of each level, of pictures float32[B, 3, H, W], 0 … 255."""
        fine = self.fine(self.early(self._scaled(pixels)))
        logits: tuple[Tensor, ...] = self.head(fine, self.coarse(fine))
        return logits

    def _scaled(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.deviation

    @torch.no_grad()
    def _measure(self, layers: nn.Sequential, examples: Tensor) -> None:
        """Sets the means and deviations of normalisations to those of the examples."""
        normalisations = [each for each in layers.modules() if isinstance(each, nn.BatchNorm2d)]
        for each in normalisations:
            each.reset_running_stats()
            each.momentum = None  # The mean over all batches.
        layers.train()
        for part in examples.split(_MEASURED):
            layers(self._scaled(part.permute(0, 3, 1, 2).to(torch.float32)))
        layers.eval()
