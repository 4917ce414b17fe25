"""Finds items whose pictures say another category than the catalogue does.

Confident learning (Northcutt et al., JAIR 2021): every picture gets the probabilities of a layer that did not
learn from its item. An item counts for another category where its picture is at least as probable there as
pictures of that category are on average, and is more probable there than where it is listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from recall.category_head import softmax
from vision.fit_category_head import fit_temperature

_PENALTY, _ITERATIONS = 1e-4, 100
_FOLDS, _LEAST_PER_CATEGORY, _LEAST_PICTURES = 4, 5, 50


@dataclass(frozen=True)
class Mislabelled:
    """n items, the likeliest to be listed wrongly first.

    Attributes:
        items: int32[n].
        listed: int32[n], code of the category in the catalogue.
        likely: int32[n], code of the one that the picture says.
        listed_probability: float64[n], of `listed`.
        likely_probability: float64[n], of `likely`.
        judged: items with a picture that were looked at.
        accuracy: part of these whose picture says the listed category first.
    """

    items: NDArray[np.int32]
    listed: NDArray[np.int32]
    likely: NDArray[np.int32]
    listed_probability: NDArray[np.float64]
    likely_probability: NDArray[np.float64]
    judged: int
    accuracy: float


def find_mislabelled(
    items: NDArray[np.int32], vectors: NDArray[np.float32], categories: NDArray[np.int32], seed: int
) -> Mislabelled | None:
    """Judges each item by its first picture.

    Args:
        items: int32[P], the item of each picture, an item's first picture first.
        vectors: float32[P, D].
        categories: int32[N + 1], by item; 0 = unknown.
        seed: of what is drawn.

    Returns:
        None where fewer than two categories have five items with pictures, or fewer than 50 items have one.
    """
    shown, first = np.unique(items, return_index=True)
    counts = np.bincount(categories[shown])
    usable = (categories[shown] > 0) & (counts[categories[shown]] >= _LEAST_PER_CATEGORY)
    shown, pictures = shown[usable], np.asarray(vectors[first[usable]])
    codes, labels = np.unique(categories[shown], return_inverse=True)
    if len(shown) < _LEAST_PICTURES or len(codes) < 2:
        return None
    probabilities = _held_out(pictures, labels, len(codes), seed)
    rows = np.arange(len(shown))
    own = probabilities[rows, labels]
    usual = np.bincount(labels, own) / np.bincount(labels)
    # Where several are confident, the most probable one counts.
    confident = np.where(probabilities >= usual, probabilities, 0)
    confident[rows, labels] = 0
    likely = confident.argmax(axis=1)
    other = confident[rows, likely]
    wrong = np.flatnonzero(other > own)
    order = wrong[np.lexsort((shown[wrong], (own - other)[wrong]))]
    return Mislabelled(
        shown[order].astype(np.int32),
        codes[labels[order]].astype(np.int32),
        codes[likely[order]].astype(np.int32),
        own[order],
        other[order],
        len(shown),
        float((probabilities.argmax(axis=1) == labels).mean()),
    )


def _held_out(
    pictures: NDArray[np.float32], labels: NDArray[np.int64], classes: int, seed: int
) -> NDArray[np.float64]:
    """float64[n, C]: of each picture, by a layer that learned from the other folds, calibrated over all."""
    # Each category is in every fold in one proportion.
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[by_label] = np.arange(len(labels)) % _FOLDS
    logits = np.empty((len(labels), classes), np.float32)
    for held in range(_FOLDS):
        weights, bias = _regression(pictures[fold != held], labels[fold != held], classes)
        logits[fold == held] = pictures[fold == held] @ weights + bias
    return softmax(logits, fit_temperature(logits, labels))


def _regression(
    pictures: NDArray[np.float32], labels: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights float32[D, C] and bias float32[C] of a multinomial logistic regression, by L-BFGS."""
    count, dimensions = pictures.shape
    rows = np.arange(count)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(dimensions + 1, classes)
        found = softmax((pictures @ weights[:-1] + weights[-1]).astype(np.float32), 1.0)
        value = -np.log(found[rows, labels] + 1e-12).mean() + _PENALTY * (weights[:-1] ** 2).sum() / 2
        found[rows, labels] -= 1
        gradient = np.concatenate((pictures.T @ found / count, found.mean(axis=0)[None]))
        gradient[:-1] += _PENALTY * weights[:-1]
        return float(value), gradient.reshape(-1)

    start = np.zeros((dimensions + 1) * classes)
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x
    weights = best.reshape(dimensions + 1, classes).astype(np.float32)
    return weights[:-1], weights[-1]
