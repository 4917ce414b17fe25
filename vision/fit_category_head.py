"""Fits the layer that names a picture's category, by the pictures of the catalogue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recall.category_head import CategoryHead, softmax

_LEAST_PICTURES, _LEAST_PER_CATEGORY, _LEAST_CATEGORIES = 200, 5, 2
_HELD_OUT = 5
"""One of so many items is held out: for the temperature, the thresholds and the accuracy."""
_MOST = 200_000
_PASSES, _LEAST_STEPS, _BATCH, _RATE, _DECAY = 30, 500, 256, 1e-3, 0.3
_LET_THROUGH = 0.975
"""Part of the known pictures that each of the two thresholds lets through."""


def fit_category_head(
    items: NDArray[np.int32],
    features: NDArray[np.float32],
    vectors: NDArray[np.float32],
    categories: NDArray[np.int32],
    seed: int,
) -> CategoryHead | None:
    """A multinomial logistic regression, calibrated on items that it did not learn from.

    Args:
        items: int32[P], the item of each picture.
        features: float32[P, F].
        vectors: float32[P, D], in which pictures are compared.
        categories: int32[N + 1], by item; 0 = unknown.
        seed: of what is drawn.

    Returns:
        The head; None where there are too few pictures or categories.
    """
    own = categories[items]
    counts = np.bincount(own)
    usable = np.flatnonzero((counts[own] >= _LEAST_PER_CATEGORY) & (own > 0))
    random = np.random.default_rng(seed)
    usable = np.sort(random.permutation(usable)[:_MOST])
    codes, labels = np.unique(own[usable], return_inverse=True)
    if len(usable) < _LEAST_PICTURES or len(codes) < _LEAST_CATEGORIES:
        return None
    # All pictures of an item are on one side.
    held = random.permutation(int(items.max()) + 1)[items[usable]] % _HELD_OUT == 0
    weights, bias = fit_layer(features[usable[~held]], labels[~held], len(codes), seed)
    shown, truth = usable[held], labels[held]
    logits = features[shown] @ weights + bias
    temperature = fit_temperature(logits, truth)
    best = softmax(logits, temperature).max(axis=1)
    likeness = _nearest(vectors, items, shown)
    return CategoryHead(
        weights,
        bias,
        codes.astype(np.int32),
        temperature,
        float(np.quantile(best, 1 - _LET_THROUGH)),
        float(np.quantile(likeness, 1 - _LET_THROUGH)),
        float((logits.argmax(axis=1) == truth).mean()),
    )


def fit_temperature(
    logits: NDArray[np.float32], classes: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> float:
    """The divisor of logits with the least cross-entropy, of 0.1 … 10 in steps of 3 %.

    Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017).

    Args:
        logits: float32[n, C].
        classes: int64[n], the truth.
        weights: float64[n], above 0; None = all count alike.
    """
    rows = np.arange(len(classes))
    grid = np.geomspace(0.1, 10.0, 156)
    losses = [
        np.average(-np.log(softmax(logits, each)[rows, classes] + 1e-12), weights=weights) for each in grid
    ]
    return float(grid[int(np.argmin(losses))])


def calibration_error(found: NDArray[np.float64], classes: NDArray[np.int64], bins: int = 15) -> float:
    """Expected calibration error: |share that is right − mean probability| over bins of the probability."""
    best, right = found.max(axis=1), found.argmax(axis=1) == classes
    member = np.minimum((best * bins).astype(int), bins - 1)
    off = [abs(right[member == each].sum() - best[member == each].sum()) for each in range(bins)]
    return float(sum(off) / len(classes))


def _nearest(
    vectors: NDArray[np.float32], items: NDArray[np.int32], shown: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Cosine of each shown picture with the most alike one of another item, of a sample of 2,000 at most."""
    shown = shown[:: max(1, len(shown) // 2_000)]
    found = np.empty(len(shown), np.float32)
    for first in range(0, len(shown), 256):
        part = shown[first : first + 256]
        cosines = vectors[part] @ vectors.T
        cosines[items[part][:, None] == items[None, :]] = -1
        found[first : first + len(part)] = cosines.max(axis=1)
    return found


def fit_layer(
    features: NDArray[np.float32], labels: NDArray[np.int64], classes: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A multinomial logistic regression by AdamW.

    Args:
        features: float32[n, F].
        labels: int64[n], 0…C−1.
        classes: C.
        seed: of the order in which they are shown.

    Returns:
        Weights float32[F, C] and bias float32[C].
    """
    import torch

    centre, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    generator = torch.Generator().manual_seed(seed)
    scaled, truth = torch.from_numpy((features - centre) / spread), torch.from_numpy(labels)
    weights = torch.zeros((features.shape[1], classes), requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimiser = torch.optim.AdamW(
        [{"params": [weights], "weight_decay": _DECAY}, {"params": [bias], "weight_decay": 0.0}], _RATE
    )
    # Of few pictures a pass has few steps.
    passes = max(_PASSES, _LEAST_STEPS * _BATCH // len(labels))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, passes)
    for _ in range(passes):
        for rows in torch.randperm(len(truth), generator=generator).split(_BATCH):
            loss = torch.nn.functional.cross_entropy(scaled[rows] @ weights + bias, truth[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    learned, moved = weights.detach().numpy(), bias.detach().numpy()
    plain = (learned / spread[:, None]).astype(np.float32)
    return plain, (moved - centre @ plain).astype(np.float32)
