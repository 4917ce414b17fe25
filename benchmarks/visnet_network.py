"""An embedding of pictures by a deep trunk and shallow convolutions beside it, and its plainer forms.

Shankar et al., "Deep Learning based Large Scale Visual Recommendation and Search for E-Commerce" (2017),
after Wang et al., "Learning Fine-grained Image Similarity with Deep Ranking" (CVPR 2014): the trunk tells
what a picture shows, and shallow convolutions of the picture at two small sizes keep colours and patterns.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recall.picture_space import PictureSpace

SMALL = 56
"""Pixels of a side of the picture that the shallow convolutions see: a fourth of the trunk's."""
COLOURS = 128
"""Bins of the histogram of colours."""
Beside = Literal["nothing", "shallow", "colours"]
"""What is beside the trunk's features; the histogram of colours is the plain peer of the convolutions."""
_FILTERS, _KERNEL, _STRIDE, _PLACES = 32, 8, 4, 4
_HALVED = (1, 2)
_DROPPED, _DECAY = 0.5, 1.0
_BESIDE_RATE = 5e-3
"""Higher than the trunk's, whose map begins at principal components."""
_BYTE = 255.0


@dataclass(frozen=True)
class Pictures:
    """Pictures as networks see them.

    Attributes:
        deep: float32[n, F], the trunk's features.
        small: uint8[n, 56, 56, 3].
        colours: float32[n, 128], of length 1.
        gradients: float32[n, G], of length 1; only scorers of similarity look at them.
        products: int64[n], what is to be found.
        classes: int64[n], of the products.
        maps: float16[n, 112, 14, 14], an inner map of the trunk; None where no network looks at it.
    """

    deep: NDArray[np.float32]
    small: NDArray[np.uint8]
    colours: NDArray[np.float32]
    gradients: NDArray[np.float32]
    products: NDArray[np.int64]
    classes: NDArray[np.int64]
    maps: NDArray[np.float16] | None = None

    def take(self, rows: NDArray[np.int64]) -> Pictures:
        """The pictures at rows."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return replace(self, **{name: each[rows] for name, each in given.items() if each is not None})


class Embedding(nn.Module):
    """Makes vectors of pictures, and is trained by `benchmarks.visnet_training`."""

    @abstractmethod
    def embed(self, pictures: Pictures, rows: NDArray[np.int64]) -> Tensor:
        """float32[len(rows), D] of length 1, of the pictures at rows."""

    @abstractmethod
    def groups(self) -> list[dict[str, Any]]:
        """Its parameters, with their decays and rates, for torch's optimisers."""


class ShallowBranch(nn.Module):
    """Small pictures uint8[B, 56, 56, 3] (RGB) → float32[B, 1024].

    One layer of 32 convolutions of 8×8 at 56 and at 28 pixels, the largest value in each of 4×4 parts; the
    values of either size have length 1.
    """

    def __init__(self) -> None:
        """With random weights."""
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3, _FILTERS, _KERNEL, _STRIDE) for _ in _HALVED)

    @property
    def width(self) -> int:
        """Length of what it gives."""
        return len(self.layers) * _FILTERS * _PLACES**2

    def forward(self, small: Tensor) -> Tensor:
        """Both sizes' values, one behind the other."""
        pixels = small.permute(0, 3, 1, 2).to(torch.float32) / _BYTE - 0.5
        made = [
            functional.adaptive_max_pool2d(
                functional.relu(layer(functional.avg_pool2d(pixels, halved))), _PLACES
            ).flatten(1)
            for layer, halved in zip(self.layers, _HALVED, strict=True)
        ]
        return torch.cat([functional.normalize(each, dim=1) for each in made], dim=1)


class VisNet(Embedding):
    """The trunk's features, and what is beside them, → vectors float32[B, D] of length 1.

    The trunk stays as it is; its features are computed once.
    """

    centre: Tensor

    def __init__(self, start: PictureSpace, beside: Beside) -> None:
        """`start`: where the map of the trunk's features begins; what is beside them begins at nothing."""
        super().__init__()
        self.register_buffer("centre", torch.from_numpy(start.centre.copy()))
        self.deep = nn.Parameter(torch.from_numpy(start.matrix.copy()))
        self.branch = ShallowBranch() if beside == "shallow" else None
        width = self.branch.width if self.branch is not None else COLOURS
        self.beside = nn.Parameter(torch.zeros(width, start.dimensions)) if beside != "nothing" else None

    def embed(self, pictures: Pictures, rows: NDArray[np.int64]) -> Tensor:
        """See `Embedding`."""
        made = self._dropped(torch.from_numpy(pictures.deep[rows]) - self.centre) @ self.deep
        if self.beside is not None:
            if self.branch is None:
                beside = torch.from_numpy(pictures.colours[rows])
            else:
                beside = self.branch(torch.from_numpy(pictures.small[rows]))
            made = made + self._dropped(beside) @ self.beside
        return functional.normalize(made, dim=1)

    def groups(self) -> list[dict[str, Any]]:
        """See `Embedding`."""
        filters = [] if self.branch is None else list(self.branch.parameters())
        beside = [] if self.beside is None else [self.beside]
        return [
            {"params": [self.deep], "weight_decay": _DECAY},
            {"params": beside, "weight_decay": _DECAY, "lr": _BESIDE_RATE},
            {"params": filters, "weight_decay": 0.0},
        ]

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, _DROPPED, self.training)
