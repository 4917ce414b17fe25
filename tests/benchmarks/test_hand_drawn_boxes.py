"""Boxes drawn by hand lie in their photos, and are of the photos that they were drawn in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import hand_drawn_boxes
from benchmarks.hand_drawn_boxes import DrawnBox, found_box, photos_of, read_boxes
from benchmarks.public_data import SHARED
from recall.found_boxes import FoundBoxes
from testing.picture_shop import draw, jpeg
from vision.square import WHOLE, Box

GROCERIES = SHARED / "grocery_photos"


def test_sixty_photos_have_one_box_each() -> None:
    drawn = read_boxes()
    assert len({box.row for box in drawn}) == len(drawn) == 60
    for box in drawn:
        made = box.of(224, 224)
        assert 0 <= made.left < made.right <= 1
        assert 0 <= made.top < made.bottom <= 1


def test_a_box_beyond_its_photo_is_refused() -> None:
    box = DrawnBox(3, "", (10, 20, 60, 90))
    assert box.of(100, 100) == Box(0.1, 0.2, 0.6, 0.9)
    with pytest.raises(ValueError, match=r"the box .* of photo 3 is not within 50 × 100"):
        box.of(50, 100)
    with pytest.raises(ValueError, match="is not within"):
        DrawnBox(3, "", (10, 20, 10, 90)).of(100, 100)


def test_a_box_goes_with_the_bytes_that_it_was_drawn_in() -> None:
    content = jpeg(draw(1, 2))
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    photos = pl.Series([b"", content])
    assert photos_of([DrawnBox(1, digest, (0, 0, 1, 1))], photos)[0].mode == "RGB"
    with pytest.raises(ValueError, match="photo 1 is not the one whose box was drawn"):
        photos_of([DrawnBox(1, "0" * 16, (0, 0, 1, 1))], photos)


def test_where_nothing_is_found_all_of_the_photo_is_searched_for() -> None:
    picture = draw(1, 2)
    two = FoundBoxes(np.array([[0, 0, 0.5, 0.5], [0, 0, 1, 1]], np.float32), np.array([0.9, 0.1], np.float32))
    nothing = FoundBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    assert found_box(lambda _: two, picture) == Box(0, 0, 0.5, 0.5)
    assert found_box(lambda _: nothing, picture) == WHOLE


def test_without_the_photos_the_benchmark_says_that_it_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hand_drawn_boxes, "SHARED", tmp_path)
    monkeypatch.setattr("sys.argv", ["hand_drawn_boxes"])
    hand_drawn_boxes.main()
    assert capsys.readouterr().out == f"skipped: there is no {tmp_path / 'grocery_photos'}\n"


@pytest.mark.skipif(not GROCERIES.is_dir(), reason="no shared/data/grocery_photos beside the checkout")
def test_the_boxes_are_of_the_shared_photos() -> None:
    table = pl.read_parquet(GROCERIES / "photos.parquet")
    drawn = read_boxes()
    for box, photo in zip(drawn, photos_of(drawn, table["jpeg"]), strict=True):
        box.of(*photo.size)
    assert set(table["split"].gather([box.row for box in drawn])) == {"val"}
