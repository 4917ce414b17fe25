"""Pictures that are one photograph are one group, and codes alone only say which are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw

from testing.picture_shop import draw, jpeg
from tests.vision.plain_encoder import PlainEncoder, encode
from vision.encode_pictures import EncodedPictures
from vision.near_identical import PhotographComparison, near_identical
from vision.settings import PictureSettings

EVERY_PAIR = PictureSettings(compared_bits=255, compared_structure_bits=255)


def marked(image: Image.Image) -> Image.Image:
    copy = image.copy()
    ImageDraw.Draw(copy).rectangle((0, 40, image.width, 49), fill=(20, 200, 90))
    return copy


@pytest.fixture
def encoded(tmp_path: Path) -> EncodedPictures:
    """Items 1…4: a picture, its marked copy, another picture and its marked copy."""
    image = draw(1, 7)
    for row, each in enumerate((image, marked(image), draw(1, 8), marked(draw(1, 8)))):
        (tmp_path / f"{row}.png").write_bytes(jpeg(each, 95))
    names = [f"{row}.png" for row in range(4)]
    pl.DataFrame({"item_id": names, "image": names}).write_csv(tmp_path / "items.csv")
    return encode(tmp_path, tmp_path / "cache", PlainEncoder())


def test_one_photograph_is_one_group(encoded: EncodedPictures) -> None:
    assert near_identical(encoded, 4, EVERY_PAIR).tolist() == [0, 1, 1, 2, 2]


def test_codes_say_which_pictures_are_compared(encoded: EncodedPictures) -> None:
    none = EVERY_PAIR.model_copy(update={"compared_bits": 0, "compared_structure_bits": 0})
    assert near_identical(encoded, 4, none).tolist() == [0] * 5


def test_no_more_pairs_are_compared_than_allowed(encoded: EncodedPictures) -> None:
    # The first pair is 2 with 1; without another, 4 stays alone.
    once = EVERY_PAIR.model_copy(update={"compared_pairs": 1})
    assert near_identical(encoded, 4, once).tolist() == [0, 1, 1, 0, 0]
    comparison = PhotographComparison(encoded.copies, once)
    assert [comparison.same(0, 1), comparison.same(0, 1), comparison.asked] == [True, False, 1]


def test_equal_copies_are_not_laid_over_each_other(encoded: EncodedPictures) -> None:
    strict = EVERY_PAIR.model_copy(update={"largest_difference": 0.0})
    copies = np.repeat(encoded.copies[:1], 2, axis=0)
    assert PhotographComparison(copies, strict).same(0, 1)
    assert not PhotographComparison(encoded.copies, strict).same(0, 1)
