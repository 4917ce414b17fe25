"""Fits the space of pictures by photos of items, where a shop has some: photos and catalogue pictures differ.

The last layer is a linear map trained by the normalised softmax (Zhai and Wu, "Classification is a strong
baseline for deep metric learning", BMVC 2019): every item with photos has a proxy, and a photo is drawn to
its item's proxy and to its item's catalogue picture, away from all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recall.picture_space import PictureSpace
from vision.fit_space import fit_space

_HELD_OUT = 5
"""Every fifth photo decides between the two spaces, and teaches neither."""
_SCALE, _RATE, _DECAY, _DROPPED = 12.0, 1e-3, 1.0, 0.5
_STEPS, _BATCH, _OTHERS = 400, 256, 512


@dataclass(frozen=True)
class Labelled:
    """Pictures of items: items int32[n], features float32[n, F]."""

    items: NDArray[np.int32]
    features: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64]) -> Labelled:
        """The pictures at rows."""
        return Labelled(self.items[rows], self.features[rows])


@dataclass(frozen=True)
class PhotoFit:
    """The space chosen, and by what: recall@1 of held-out photos among all catalogue items.

    Attributes:
        space: the better one.
        photos: number of photos held out.
        plain: recall@1 in the space of principal components.
        trained: recall@1 in the trained space.
    """

    space: PictureSpace
    photos: int
    plain: float
    trained: float


def fit_by_photos(catalogue: Labelled, photos: Labelled, dimensions: int, seed: int) -> PhotoFit:
    """Trains a space on four fifths of the photos, and takes it where it finds more of the others.

    Args:
        catalogue: at least two pictures.
        photos: at least ten, of items that `catalogue` has.
        dimensions: D at most.
        seed: of the parts and the training.
    """
    order = np.random.default_rng(seed).permutation(len(photos.items))
    held, known = photos.take(order[::_HELD_OUT]), photos.take(np.delete(order, np.s_[::_HELD_OUT]))
    everything = np.concatenate((catalogue.features, known.features))
    plain = fit_space(everything, dimensions, seed)
    trained = _trained(catalogue, known, plain, seed)
    found = {id(space): recall_at(space, catalogue, held, 1) for space in (plain, trained)}
    better = trained if found[id(trained)] > found[id(plain)] else plain
    return PhotoFit(better, len(held.items), found[id(plain)], found[id(trained)])


def recall_at(space: PictureSpace, catalogue: Labelled, photos: Labelled, k: int) -> float:
    """Part of the photos that have their item among the first k different items of the catalogue."""
    pictures = space.project(catalogue.features)
    hits = 0
    for item, vector in zip(photos.items.tolist(), space.project(photos.features), strict=True):
        likeness = pictures @ vector
        own = likeness[catalogue.items == item].max(initial=-np.inf)
        hits += len(np.unique(catalogue.items[likeness > own])) < k
    return hits / len(photos.items)


def _trained(catalogue: Labelled, photos: Labelled, start: PictureSpace, seed: int) -> PictureSpace:
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(seed)
    classes, photo_class = np.unique(photos.items, return_inverse=True)
    own = np.flatnonzero(np.isin(catalogue.items, classes))
    first = own[np.unique(catalogue.items[own], return_index=True)[1]]
    centre = torch.from_numpy(start.centre.copy())
    shown = torch.from_numpy(catalogue.features[first]) - centre
    everything = torch.from_numpy(np.asarray(catalogue.features)) - centre
    sent, labels = torch.from_numpy(np.asarray(photos.features)) - centre, torch.from_numpy(photo_class)
    matrix = torch.from_numpy(start.matrix.copy()).requires_grad_()
    proxies = functional.normalize(shown @ matrix.detach(), dim=1).requires_grad_()
    optimiser = torch.optim.AdamW(
        [{"params": [matrix], "weight_decay": _DECAY}, {"params": [proxies], "weight_decay": 0.0}], _RATE
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)

    def embedded(features: torch.Tensor) -> torch.Tensor:
        return functional.normalize(features @ matrix, dim=1)

    for _ in range(_STEPS):
        rows = torch.randint(len(sent), (_BATCH,), generator=generator)
        kept = torch.rand((_BATCH, sent.shape[1]), generator=generator) >= _DROPPED
        photo, label = embedded(sent[rows] * kept / (1 - _DROPPED)), labels[rows]
        others = everything[torch.randint(len(everything), (_OTHERS,), generator=generator)]
        # Another picture of a photo's own item among the others is rare, and then no negative by much.
        against = torch.cat((embedded(shown), embedded(others)))
        loss = (
            functional.cross_entropy(_SCALE * photo @ functional.normalize(proxies, dim=1).T, label)
            + functional.cross_entropy(_SCALE * photo @ against.T, label)
            + functional.cross_entropy(
                _SCALE * embedded(shown) @ functional.normalize(proxies, dim=1).T, torch.arange(len(shown))
            )
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return PictureSpace(start.centre, matrix.detach().numpy())
