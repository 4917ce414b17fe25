"""Makes pictures look a little different, so that a network learns what stays the same."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_TURNED, _MOVED = 0.15, 0.08
"""Radians, and parts of half a side, to either direction at most."""
_LARGER, _SMALLER, _STRETCHED = -0.2, 0.12, 0.1
"""Logarithms of the part of the picture that is seen, and of height by width."""
_DARKER, _COLOURED, _SATURATED = 0.25, 0.08, 0.3


def distort(pictures: NDArray[np.uint8], sides: tuple[int, int], random: np.random.Generator) -> Tensor:
    """Mirrors, turns, moves, zooms, stretches, and shifts brightness and colours, of each picture by chance.

    Catalogue pictures are on white: what comes into view is white, and white stays white whatever happens to
    brightness and colours.

    Args:
        pictures: uint8[B, H, W, 3].
        sides: height and width of what is made.
        random: draws.

    Returns:
        float32[B, 3, *sides], 0 … 255.
    """
    count, height, width = pictures.shape[:3]

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(random.uniform(low, high, (count, *shape)).astype(np.float32))

    turned = drawn(-_TURNED, _TURNED)
    wide = torch.exp(drawn(_LARGER, _SMALLER))
    high = wide * torch.exp(drawn(-_STRETCHED, _STRETCHED))
    mirrored = torch.sign(drawn(-1, 1))
    ratio = width / height
    rows = (
        (wide * mirrored * torch.cos(turned), -wide * torch.sin(turned) / ratio, drawn(-_MOVED, _MOVED)),
        (high * mirrored * torch.sin(turned) * ratio, high * torch.cos(turned), drawn(-_MOVED, _MOVED)),
    )
    places = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    grid = functional.affine_grid(places, [count, 3, *sides], align_corners=False)
    # 0 is white from here on, which is also what lies outside.
    below_white = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).to(torch.float32) - 255
    seen = functional.grid_sample(below_white, grid, padding_mode="zeros", align_corners=False)
    grey = seen.mean(dim=1, keepdim=True)
    saturated = grey + (seen - grey) * drawn(1 - _SATURATED, 1 + _SATURATED, 1, 1, 1)
    strength = torch.exp(drawn(-_DARKER, _DARKER, 1, 1, 1) + drawn(-_COLOURED, _COLOURED, 3, 1, 1))
    return (saturated * strength + 255).clamp(0, 255)
