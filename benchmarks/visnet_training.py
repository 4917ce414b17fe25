"""Trains an embedding of pictures by triplets with a hinge, or by the normalised softmax over proxies.

Triplets as in Shankar et al. (2017): an asked picture, one of the same product, and one of another, taken
from those that basic scorers (the trunk's features as they are, histograms of colours and of gradients) call
the most similar; of the same class of products (in-class) and of others (cross-class). Proxies as in
`vision.fit_by_photos`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmarks.visnet_network import Embedding, Pictures

Loss = Literal["triplets", "proxies"]
_STEPS, _BATCH, _RATE, _SCALE = 300, 128, 1e-3, 12.0
_MARGIN = 0.2
_IN_CLASS, _CROSS_CLASS = 5, 10
"""Most similar wrong pictures of either sort that each scorer names for one asked picture."""
_PART = 128


@dataclass(frozen=True)
class Mined:
    """Rows of shown pictures for each asked one: int64[n, k]; −1 where there are fewer.

    Attributes:
        in_class: of other products of the same class.
        cross_class: of other classes.
    """

    in_class: NDArray[np.int64]
    cross_class: NDArray[np.int64]


def mine(asked: Pictures, shown: Pictures) -> Mined:
    """The most similar wrong pictures by each basic scorer: five in-class and ten cross-class ones."""
    in_class: list[NDArray[np.int64]] = []
    cross_class: list[NDArray[np.int64]] = []
    for name in ("deep", "colours", "gradients"):
        likeness = getattr(asked, name) @ getattr(shown, name).T
        own = asked.products[:, None] == shown.products
        same = asked.classes[:, None] == shown.classes
        for kept, allowed, most in (
            (in_class, same & ~own, _IN_CLASS),
            (cross_class, ~same & ~own, _CROSS_CLASS),
        ):
            masked = np.where(allowed, likeness, -np.inf)
            best = np.argsort(-masked, axis=1, kind="stable")[:, :most]
            kept.append(np.where(np.take_along_axis(masked, best, 1) > -np.inf, best, -1))
    return Mined(np.concatenate(in_class, axis=1), np.concatenate(cross_class, axis=1))


class DrawnPairs:
    """Draws rows of shown pictures that go with asked ones."""

    def __init__(
        self, asked: Pictures, shown: Pictures, itself: bool, seed: int, batch: int = _BATCH
    ) -> None:
        """`itself`: both are one set, and no picture goes with itself."""
        self._batch = batch
        self._random = np.random.default_rng(seed)
        self._asked, self._itself = asked, itself
        order = np.argsort(shown.products, kind="stable")
        self._order, self._sorted = order, shown.products[order]
        counts = np.searchsorted(self._sorted, asked.products, "right") - np.searchsorted(
            self._sorted, asked.products, "left"
        )
        self.usable = np.flatnonzero(counts > int(itself))

    def rows(self) -> NDArray[np.int64]:
        """Asked pictures that have a right one."""
        return self._random.choice(self.usable, self._batch)

    def right(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of each, a shown picture of its product."""
        products = self._asked.products[rows]
        low = np.searchsorted(self._sorted, products, "left")
        count = np.searchsorted(self._sorted, products, "right") - low
        found: NDArray[np.int64] = self._order[low + self._random.integers(0, count)]
        if self._itself:
            first, second = self._order[low], self._order[low + 1]
            found = np.where(found == rows, np.where(first == rows, second, first), found)
        return found

    def wrong(self, mined: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of each, one of its mined pictures; −1 where it has none."""
        found = mined[rows]
        order = np.argsort(found < 0, axis=1, kind="stable")
        place = (self._random.random(len(rows)) * (found >= 0).sum(axis=1)).astype(np.int64)
        return np.take_along_axis(np.take_along_axis(found, order, 1), place[:, None], 1)[:, 0]


def train(
    network: Embedding,
    loss: Loss,
    asked: Pictures,
    shown: Pictures,
    seed: int,
    *,
    margin: float = _MARGIN,
    itself: bool = False,
    steps: int = _STEPS,
    batch: int = _BATCH,
) -> None:
    """Trains a network by which `asked` find their product among `shown`; leaves it in eval mode.

    Args:
        network: to be trained.
        loss: by what it learns.
        asked: photos, of products that `shown` has.
        shown: catalogue pictures.
        seed: of what is drawn.
        margin: of the hinge, between squared distances of vectors of length 1.
        itself: both are one set, and no picture goes with itself.
        steps: how many.
        batch: asked pictures of one step.
    """
    torch.manual_seed(seed)
    network.train()
    drawn = DrawnPairs(asked, shown, itself, seed, batch)
    step = _Triplets(asked, shown, margin) if loss == "triplets" else _Proxies(network, asked, shown)
    optimiser = torch.optim.AdamW([*network.groups(), {"params": step.own, "weight_decay": 0.0}], _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        step.loss(network, drawn).backward()
        optimiser.step()
        schedule.step()
    network.eval()


def vectors(network: Embedding, pictures: Pictures) -> NDArray[np.float32]:
    """float32[n, D] of pictures."""
    every = np.arange(len(pictures.products))
    with torch.no_grad():
        parts = [
            network.embed(pictures, every[first : first + _PART]) for first in range(0, len(every), _PART)
        ]
    return torch.cat(parts).numpy()


class _Triplets:
    """The hinge over an asked picture, a right one, and two wrong ones."""

    def __init__(self, asked: Pictures, shown: Pictures, margin: float) -> None:
        self._asked, self._shown, self._margin = asked, shown, margin
        self._mined = mine(asked, shown)
        self.own: list[Tensor] = []

    def loss(self, network: Embedding, drawn: DrawnPairs) -> Tensor:
        """Of one batch."""
        rows = drawn.rows()
        columns = [drawn.right(rows)] + [
            drawn.wrong(each, rows) for each in (self._mined.in_class, self._mined.cross_class)
        ]
        # Each shown picture is embedded once; −1 is the place of one that does not count.
        unique, place = np.unique(np.concatenate(columns), return_inverse=True)
        photo = network.embed(self._asked, rows)
        right, *wrong = (
            (photo - each).square().sum(dim=1)
            for each in network.embed(self._shown, np.maximum(unique, 0))[torch.from_numpy(place)].split(
                len(rows)
            )
        )
        total = photo.new_zeros(())
        for distance, column in zip(wrong, columns[1:], strict=True):
            counted = torch.from_numpy(column >= 0)
            total = total + functional.relu(self._margin + right - distance)[counted].sum() / len(rows)
        return total


class _Proxies:
    """The normalised softmax over a proxy of each product, and over the shown pictures of a batch."""

    def __init__(self, network: Embedding, asked: Pictures, shown: Pictures) -> None:
        self._asked, self._shown = asked, shown
        known = np.unique(asked.products)
        self._labels = torch.from_numpy(np.searchsorted(known, asked.products))
        first = np.array([np.flatnonzero(shown.products == each)[0] for each in known])
        with torch.no_grad():
            network.eval()
            start = network.embed(shown, first)
            network.train()
        self._proxies = start.clone().requires_grad_()
        self.own: list[Tensor] = [self._proxies]

    def loss(self, network: Embedding, drawn: DrawnPairs) -> Tensor:
        """Of one batch."""
        rows = drawn.rows()
        labels, right = self._labels[torch.from_numpy(rows)], drawn.right(rows)
        products, first = np.unique(self._asked.products[rows], return_index=True)
        place = torch.from_numpy(np.searchsorted(products, self._asked.products[rows]))
        photo, picture = network.embed(self._asked, rows), network.embed(self._shown, right[first])
        proxies = functional.normalize(self._proxies, dim=1)
        return (
            functional.cross_entropy(_SCALE * photo @ proxies.T, labels)
            + functional.cross_entropy(_SCALE * photo @ picture.T, place)
            + functional.cross_entropy(_SCALE * picture @ proxies.T, labels[torch.from_numpy(first)])
        )
