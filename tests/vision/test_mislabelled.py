"""Items that are listed wrongly are found by their pictures."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shopfront.mislabelled_command import mislabelled_table
from shopfront.workspace import Workspace
from tests.vision.picture_shop import PictureShop
from vision.mislabelled import find_mislabelled


def _shop(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items 1…300 of three categories, a picture of each, and the true categories int32[301]."""
    random = np.random.default_rng(seed)
    truth = np.concatenate(([0], random.integers(1, 4, 300))).astype(np.int32)
    vectors = np.eye(8, dtype=np.float32)[truth[1:]] * 0.8 + random.normal(0, 0.2, (300, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.arange(1, 301, dtype=np.int32), vectors.astype(np.float32), truth


def test_items_listed_wrongly_are_found_with_what_they_are() -> None:
    items, vectors, truth = _shop(2)
    wrong = np.random.default_rng(5).choice(items, 15, replace=False)
    listed = truth.copy()
    listed[wrong] = truth[wrong] % 3 + 1
    found = find_mislabelled(items, vectors, listed, 1)
    assert found is not None
    assert found.judged == 300
    right = np.isin(found.items, wrong)
    assert right.sum() >= 13
    assert right.mean() >= 0.7
    hits = found.items[right]
    np.testing.assert_array_equal(found.likely[right], truth[hits])
    np.testing.assert_array_equal(found.listed, listed[found.items])
    lead = found.likely_probability - found.listed_probability
    assert (lead > 0).all()
    assert (np.diff(lead) <= 1e-12).all()
    assert found.accuracy == pytest.approx(0.95, abs=0.04)


def test_too_little_to_judge_by_is_said() -> None:
    items, vectors, truth = _shop(3)
    assert find_mislabelled(items[:40], vectors[:40], truth, 1) is None
    assert find_mislabelled(items, vectors, np.ones(301, np.int32), 1) is None
    assert find_mislabelled(items, vectors, np.zeros(301, np.int32), 1) is None


@pytest.mark.slow
def test_the_command_names_items_of_a_built_workspace(
    picture_shop: PictureShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Record:
        def __init__(self, path: object) -> None: ...

        def has_run(self, step: str) -> bool:
            return step == "pictures"

        def latest(self, step: str) -> str:
            return picture_shop.made

    monkeypatch.setattr("shopfront.build_record.BuildRecord", Record)
    table, judged, accuracy = mislabelled_table(picture_shop.workspace, "shop", 1)
    assert table.schema["item_id"] == pl.String
    assert judged >= 50
    assert 0 < accuracy <= 1
    assert set(table["item_id"]) <= {f"i{row:04d}" for row in range(60)}
    with pytest.raises(ValueError, match="too few items"):
        mislabelled_table(picture_shop.workspace, "category", 1)
    with pytest.raises(ValueError, match="no column colourless"):
        mislabelled_table(picture_shop.workspace, "colourless", 1)


def test_a_workspace_without_pictures_says_so(tmp_path: object) -> None:
    with pytest.raises(ValueError, match="has no pictures"):
        mislabelled_table(Workspace(tmp_path), "category", 1)  # type: ignore[arg-type]
