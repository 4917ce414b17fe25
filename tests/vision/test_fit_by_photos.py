"""A space trained by photos: taken where it finds more of the photos that it did not see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.recall.small_shop import make_catalogue
from vision.fit_by_photos import Labelled, fit_by_photos, recall_at
from vision.fit_space import fit_space
from vision.photo_files import read_photos

ITEMS, FEATURES, OWN = 40, 48, 6


def pictures(seed: int, noise: float) -> tuple[Labelled, Labelled]:
    """Catalogue pictures and photos: alike in a few directions, different in all others."""
    random = np.random.default_rng(seed)
    items = np.arange(1, ITEMS + 1, dtype=np.int32)
    own = random.standard_normal((ITEMS + 1, OWN))
    of_photos = np.repeat(items, 8)
    basis = np.linalg.qr(random.standard_normal((FEATURES, FEATURES)))[0]

    def features(which: np.ndarray, spread: float) -> np.ndarray:
        rest = spread * random.standard_normal((len(which), FEATURES - OWN))
        made = np.concatenate((own[which], rest), axis=1) @ basis
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    return Labelled(items, features(items, noise)), Labelled(of_photos, features(of_photos, noise))


@pytest.mark.slow
def test_training_finds_what_photos_and_pictures_share() -> None:
    catalogue, photos = pictures(0, 0.6)
    fit = fit_by_photos(catalogue, photos, 32, seed=1)
    assert fit.photos == len(photos.items) // 5
    assert fit.trained > fit.plain + 0.1
    _, others = pictures(0, 0.6)
    assert recall_at(fit.space, catalogue, others, 1) > recall_at(
        fit_space(catalogue.features, 32, 1), catalogue, others, 1
    )


def test_recall_counts_items_and_not_pictures() -> None:
    features = np.eye(3, dtype=np.float32)
    space = fit_space(features, 3, 0)
    catalogue = Labelled(np.array([1, 1, 2], np.int32), features)
    photo = Labelled(np.array([2], np.int32), features[:1])
    assert recall_at(space, catalogue, photo, 1) == 0
    assert recall_at(space, catalogue, photo, 2) == 1


def test_photos_are_read_beside_the_items(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 1])
    assert read_photos(None, catalogue) is None
    assert read_photos(tmp_path, catalogue) is None
    pl.DataFrame({"item_id": ["i1", "i2", "nothing"], "image": ["a.jpg", None, "b.jpg"]}).write_csv(
        tmp_path / "photos.csv"
    )
    table = read_photos(tmp_path, catalogue)
    assert table is not None
    assert table.photos.rows() == [(1, "a.jpg")]
    assert table.unknown == 1
    pl.DataFrame({"item": ["i1"]}).write_csv(tmp_path / "photos.csv")
    with pytest.raises(ValueError, match="has no column item_id and no column image"):
        read_photos(tmp_path, catalogue)
