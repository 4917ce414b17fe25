"""Which photos choose a space, and how finding is counted."""

from __future__ import annotations

import numpy as np

from benchmarks.photo_search import hits
from benchmarks.visnet import last_fifth
from recall.picture_space import PictureSpace
from vision.fit_by_photos import Labelled


def test_the_last_fifth_of_each_products_photos_is_held_out() -> None:
    products = np.repeat([2, 5, 7], [10, 4, 6])
    assert np.flatnonzero(last_fifth(products)).tolist() == [8, 9, 19]


def test_a_photo_is_found_at_its_place() -> None:
    space = PictureSpace(np.zeros(8, np.float32), np.eye(8, dtype=np.float32))
    catalogue = Labelled(np.arange(1, 9, dtype=np.int32), np.eye(8, dtype=np.float32))
    likeness = np.arange(8, 0, -1, dtype=np.float32)[None].repeat(3, axis=0)
    photos = Labelled(np.array([1, 5, 6], np.int32), likeness)
    assert hits(space, catalogue, photos).tolist() == [[True, True], [False, True], [False, False]]
