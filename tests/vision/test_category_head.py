"""The layer that names categories: right, calibrated, and aware of what is nothing known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recall.category_head import CategoryHead
from snapshot.manifest import SnapshotError
from vision.fit_category_head import calibration_error, fit_category_head, fit_temperature

pytestmark = pytest.mark.slow

FEATURES, CATEGORIES = 24, 5


def shop(count: int, spread: float, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Features around a centre per category, and the category of each, 1…5."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((CATEGORIES, FEATURES))
    own = random.integers(0, CATEGORIES, count)
    features = centres[own] + spread * random.standard_normal((count, FEATURES))
    return features.astype(np.float32), (own + 1).astype(np.int32)


def unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def fitted(count: int = 1_500, spread: float = 1.6) -> CategoryHead:
    features, own = shop(count, spread)
    items = np.arange(1, count + 1, dtype=np.int32)
    head = fit_category_head(items, features, unit(features), np.concatenate(([0], own)).astype(np.int32), 1)
    assert head is not None
    return head


def test_it_names_categories_with_probabilities_that_hold(tmp_path: Path) -> None:
    head = fitted()
    features, own = shop(2_000, 1.6, seed=5)
    found = head.probabilities(features)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    right = head.codes[found.argmax(axis=1)] == own
    assert right.mean() > 0.8
    assert abs(right.mean() - head.accuracy) < 0.07
    assert calibration_error(found, own.astype(np.int64) - 1) < 0.05
    head.save(tmp_path)
    again = CategoryHead.open(tmp_path, FEATURES)
    assert again is not None
    np.testing.assert_array_equal(again.probabilities(features), found)
    with pytest.raises(SnapshotError):
        CategoryHead.open(tmp_path, FEATURES + 1)
    assert CategoryHead.open(tmp_path / "nothing", FEATURES) is None


def test_what_is_like_nothing_known_is_told_from_what_is() -> None:
    head = fitted(spread=0.5)
    known, _ = shop(400, 0.5, seed=6)
    everything, _ = shop(1_500, 0.5)
    strange = np.random.default_rng(7).standard_normal((400, FEATURES)).astype(np.float32) * 1.2

    def share_known(features: NDArray[np.float32]) -> float:
        best = head.probabilities(features).max(axis=1)
        likeness = (unit(features) @ unit(everything).T).max(axis=1)
        return float(np.mean([head.is_known(*pair) for pair in zip(best, likeness, strict=True)]))

    assert share_known(known) > 0.9
    assert share_known(strange) < 0.1


def test_too_few_pictures_or_categories_make_none() -> None:
    features, own = shop(300, 1.0)
    items = np.arange(1, 301, dtype=np.int32)
    categories = np.concatenate(([0], own)).astype(np.int32)
    assert fit_category_head(items[:100], features[:100], unit(features[:100]), categories, 1) is None
    assert fit_category_head(items, features, unit(features), (categories > 0).astype(np.int32), 1) is None
    assert fit_category_head(items, features, unit(features), np.zeros(301, np.int32), 1) is None


def test_a_temperature_undoes_overconfidence() -> None:
    random = np.random.default_rng(3)
    logits = random.standard_normal((4_000, 4)).astype(np.float32)
    weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = np.array([random.choice(4, p=row / row.sum()) for row in weights])
    assert abs(fit_temperature(3 * logits, classes) - 3) < 0.3
    # Half of the pictures are of another kind, which weights can leave out.
    both, truth = np.concatenate((3 * logits, logits)), np.concatenate((classes, classes))
    chosen = np.repeat([1.0, 1e-9], len(classes))
    assert fit_temperature(both, truth, chosen) == fit_temperature(3 * logits, classes)
    assert fit_temperature(both, truth) < fit_temperature(both, truth, chosen)
