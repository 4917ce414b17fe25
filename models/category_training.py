"""Trains the head of the small network that names categories, on what its trunk makes of pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.category_network import Head

_BATCH, _RATE, _DECAY, _SMOOTHED = 128, 2e-3, 0.05, 0.1
_WARM_UP = 0.05
_EVALUATED = 512

Told = Callable[[int, float], None]
"""(passes behind, mean loss of the last)."""


@dataclass(frozen=True)
class LabelledMaps:
    """What the trunk makes of pictures, and their classes.

    Attributes:
        fine: float16[n, 112, 8, 6], which may be mapped.
        coarse: float16[n, 192, 4, 3].
        classes: int64[n], 0 … C − 1.
    """

    fine: NDArray[np.float16]
    coarse: NDArray[np.float16]
    classes: NDArray[np.int64]


def train_head(training: LabelledMaps, classes: int, passes: int, seed: int, told: Told) -> Head:
    """A head after so many passes, by AdamW with a warm-up and a cosine's fall.

    Args:
        training: what it learns.
        classes: C.
        passes: over all of it.
        seed: of weights and order.
        told: after each pass.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    head = Head(classes)
    optimiser = torch.optim.AdamW(head.parameters(), _RATE, weight_decay=_DECAY)
    count = len(training.classes)
    steps = passes * (count // _BATCH)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / (_WARM_UP * steps)) * (1 + np.cos(np.pi * step / steps)) / 2,
    )
    for done in range(passes):
        losses = []
        order = random.permutation(count)
        for first in range(0, count - _BATCH + 1, _BATCH):
            rows = np.sort(order[first : first + _BATCH])
            fine, coarse = (
                torch.from_numpy(maps[rows].astype(np.float32)) for maps in (training.fine, training.coarse)
            )
            # A picture mixed with another (Zhang et al., "mixup", ICLR 2018), on the maps.
            other = torch.from_numpy(random.permutation(len(rows)))
            share = float(random.beta(0.3, 0.3))
            logits = head(
                share * fine + (1 - share) * fine[other], share * coarse + (1 - share) * coarse[other]
            )
            labels = torch.from_numpy(training.classes[rows])
            loss = share * functional.cross_entropy(logits, labels, label_smoothing=_SMOOTHED) + (
                1 - share
            ) * functional.cross_entropy(logits, labels[other], label_smoothing=_SMOOTHED)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            losses.append(loss.item())
        told(done + 1, float(np.mean(losses)))
    return head.eval()


def logits_of(head: Head, maps: LabelledMaps) -> NDArray[np.float32]:
    """float32[n, C]."""
    parts = []
    with torch.no_grad():
        for first in range(0, len(maps.classes), _EVALUATED):
            part = slice(first, first + _EVALUATED)
            parts.append(
                head(*(torch.from_numpy(each[part].astype(np.float32)) for each in (maps.fine, maps.coarse)))
            )
    return torch.cat(parts).numpy()
