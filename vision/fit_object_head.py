"""Fits the layers that find things in pictures, by made-up scenes of the catalogue's own pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recall.found_boxes import overlaps
from recall.object_head import COARSE, FINE, GRID, OUTPUTS, UNIT, WIDE, ObjectHead
from vision.composites import scene

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import ModuleDict

LEAST_PICTURES = 20
_HELD_OUT = 10
"""One of so many scenes is held out, of pictures that the others do not show."""
_BATCH, _RATE, _DECAY = 16, 3e-3, 1e-2
_STEPS = 800
_INNER = 0.5
"""Part of a thing's sides in whose middle places are taken for it; further out nothing is said of them."""
_POWER = 2.0
"""Of the focal loss: the larger, the less places count that are told well already."""

Maps = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""uint8[n, S, S, 3] → float32[n, 112, 14, 14] and float32[n, 320, 7, 7]."""
Progress = Callable[[int, int], None]
"""(scenes done, scenes)."""


def fit_object_head(
    pictures: Sequence[Image.Image],
    maps: Maps,
    side: int,
    scenes: int,
    batch: int,
    seed: int,
    progress: Progress,
    steps: int = _STEPS,
) -> ObjectHead | None:
    """Makes scenes, encodes them and trains.

    Args:
        pictures: RGB, each of a single thing.
        maps: the encoder's maps.
        side: S, pixels of a scene's side.
        scenes: how many are made.
        batch: encoded at a time.
        seed: of the scenes and the training.
        progress: told how many scenes are encoded.
        steps: of the training.

    Returns:
        The head; None where there are fewer than 20 pictures or scenes.
    """
    if min(len(pictures), scenes) < LEAST_PICTURES:
        return None
    random = np.random.default_rng(seed)
    order = random.permutation(len(pictures))
    apart = max(2, len(pictures) // _HELD_OUT)
    held, shown = ([pictures[row] for row in part] for part in (order[:apart], order[apart:]))
    tested = max(1, scenes // _HELD_OUT)
    fine: list[NDArray[np.float16]] = []
    coarse: list[NDArray[np.float16]] = []
    boxes: list[NDArray[np.float32]] = []
    for first in range(0, scenes, batch):
        made = [
            scene(held if row < tested else shown, side, random)
            for row in range(first, min(first + batch, scenes))
        ]
        for kept, values in zip((fine, coarse), maps(np.stack([each for each, _ in made])), strict=True):
            kept.append(values.astype(np.float16))
        boxes += [each for _, each in made]
        progress(min(first + batch, scenes), scenes)
    all_fine, all_coarse = np.concatenate(fine), np.concatenate(coarse)
    weights = _trained(all_fine[tested:], all_coarse[tested:], boxes[tested:], seed, steps)
    head = ObjectHead(weights)
    return ObjectHead(weights, mean_overlap(head, all_fine[:tested], all_coarse[:tested], boxes[:tested]))


def mean_overlap(
    head: ObjectHead,
    fine: NDArray[np.float16],
    coarse: NDArray[np.float16],
    boxes: Sequence[NDArray[np.float32]],
) -> float:
    """Of the surest box of each scene, the overlap with the thing that it overlaps most."""
    found = []
    for row, truth in enumerate(boxes):
        best = head.find(fine[row].astype(np.float32), coarse[row].astype(np.float32), 1, 0.0)
        found.append(overlaps(best.edges, truth).max(initial=0.0))
    return float(np.mean(found))


def targets(boxes: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the places of the grid are to say of a scene.

    Args:
        boxes: float32[m, 4].

    Returns:
        float32[196]: 1 in the middle of a thing, 0 outside of all, NaN where nothing is said; and
        float32[196, 4], the edges of the thing that a place is in, of several the smallest.
    """
    rows, columns = np.divmod(np.arange(GRID * GRID), GRID)
    x, y = (columns + 0.5) / GRID, (rows + 0.5) / GRID
    sure = np.zeros(GRID * GRID, np.float32)
    edges = np.zeros((GRID * GRID, 4), np.float32)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    for box in boxes[np.argsort(-areas, kind="stable")]:
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        off = np.maximum(np.abs(x - middle[0]) / half[0], np.abs(y - middle[1]) / half[1])
        # A small thing has the place that its middle lies in at least.
        inner = (off <= _INNER) | (
            (np.abs(x - middle[0]) <= 0.5 / GRID) & (np.abs(y - middle[1]) <= 0.5 / GRID)
        )
        sure[(off <= 1) & ~inner] = np.nan
        sure[inner], edges[inner] = 1, box
    return sure, edges


def _trained(
    fine: NDArray[np.float16],
    coarse: NDArray[np.float16],
    boxes: Sequence[NDArray[np.float32]],
    seed: int,
    steps: int,
) -> dict[str, NDArray[np.float32]]:
    import torch
    from torch import nn
    from torch.nn import functional

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = nn.ModuleDict(
            {
                "fine": nn.Conv2d(FINE, WIDE, 1),
                "coarse": nn.Conv2d(COARSE, WIDE, 1, bias=False),
                "middle": nn.Conv2d(WIDE, WIDE, 3, padding=1),
                "deep": nn.Conv2d(WIDE, WIDE, 3, padding=1),
                "last": nn.Conv2d(WIDE, OUTPUTS, 1),
            }
        )
    made = [targets(each) for each in boxes]
    sure, edges = (torch.from_numpy(np.stack(column)) for column in zip(*made, strict=True))
    both = torch.from_numpy(fine), torch.from_numpy(coarse)
    rows, columns = np.divmod(np.arange(GRID * GRID), GRID)
    middles = torch.from_numpy(((np.stack((columns, rows), axis=1) + 0.5) / GRID).astype(np.float32))
    optimiser = torch.optim.AdamW(layers.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        part = torch.randint(len(sure), (_BATCH,), generator=generator)
        x, y = (values[part].float() for values in both)
        x = functional.relu(layers["fine"](x) + functional.interpolate(layers["coarse"](y), scale_factor=2))
        x = functional.relu(layers["deep"](functional.relu(layers["middle"](x))))
        out = layers["last"](x).flatten(2).transpose(1, 2)
        logit, reach = out[..., 0], UNIT * out[..., 1:].clamp(-4, 4).exp()
        found = torch.cat((middles - reach[..., :2], middles + reach[..., 2:]), dim=-1).clamp(0, 1)
        truth, wanted = sure[part], edges[part]
        positive = truth == 1
        shared = _shared(found[positive], wanted[positive])
        # The confidence to be told is the overlap of the place's own box.
        quality = torch.zeros_like(logit)
        quality[positive] = shared.detach()
        said = torch.isfinite(truth)
        off = (logit.sigmoid() - quality).abs().detach() ** _POWER
        loss = (
            functional.binary_cross_entropy_with_logits(logit, quality, reduction="none") * off * said
        ).sum() / positive.sum().clamp(min=1) + (1 - shared).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return _plain(layers)


def _shared(found: Tensor, wanted: Tensor) -> Tensor:
    """Overlap (IoU) of float[n, 4] with float[n, 4], row by row."""
    import torch

    low, high = torch.maximum(found[:, :2], wanted[:, :2]), torch.minimum(found[:, 2:], wanted[:, 2:])
    both = (high - low).clamp(min=0).prod(dim=1)
    areas = [(each[:, 2:] - each[:, :2]).clamp(min=0).prod(dim=1) for each in (found, wanted)]
    return both / (areas[0] + areas[1] - both).clamp(min=1e-6)


def _plain(layers: ModuleDict) -> dict[str, NDArray[np.float32]]:
    """The weights as `ObjectHead` has them."""
    from torch.nn import Conv2d

    plain: dict[str, NDArray[np.float32]] = {}
    for name, layer in layers.items():
        if not isinstance(layer, Conv2d):
            raise TypeError(f"{name} is no convolution")
        kernel = layer.weight.detach().numpy()
        # outputs, inputs, rows, columns → rows, columns, inputs | outputs
        plain[name] = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)).reshape(-1, kernel.shape[0])
        if layer.bias is not None:
            plain[f"{name}_bias"] = layer.bias.detach().numpy().copy()
    return plain
