"""Copies of a photograph differ less from it than other pictures do, whatever was done to them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from testing.picture_shop import draw, jpeg
from vision.near_identical import largest_difference
from vision.picture_records import COPY_BYTES
from vision.same_picture import Difference, difference, pixels_of, small_copy
from vision.settings import PictureSettings
from vision.square import Box

CATEGORY = 2
MOST = largest_difference(PictureSettings())


def copy_of(image: Image.Image) -> np.ndarray:
    return pixels_of(small_copy(image))


def cropped(image: Image.Image, left: float, top: float) -> Image.Image:
    side = round(image.width * 0.85)
    x, y = round(left * image.width), round(top * image.height)
    return image.crop((x, y, x + side, y + side))


def marked(image: Image.Image) -> Image.Image:
    copy = image.copy()
    ImageDraw.Draw(copy).rectangle((0, 40, image.width, 49), fill=(20, 200, 90))
    return copy


def recompressed(image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(jpeg(image, 40))).convert("RGB")


COPIES = {
    "same": lambda image: image,
    "half": lambda image: image.resize((48, 48), Image.Resampling.BICUBIC),
    "double": lambda image: image.resize((192, 192), Image.Resampling.BICUBIC),
    "compressed": recompressed,
    "marked": marked,
    "darker": lambda image: image.point(lambda value: round(value * 0.91)),
    "cropped, upper left": lambda image: cropped(image, 0, 0),
    "cropped, lower right": lambda image: cropped(image, 0.15, 0.15),
    "cropped, anywhere": lambda image: cropped(image, 0.113, 0.031),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_one_photograph_with_its_original(change: str) -> None:
    image = draw(CATEGORY, 7)
    original, copy = copy_of(image), copy_of(COPIES[change](image))
    assert difference(original, copy).within(MOST)
    # Either may be the crop.
    assert difference(copy, original).within(MOST)


def test_other_pictures_are_not_one_photograph() -> None:
    image = copy_of(draw(CATEGORY, 7))
    for seed in (8, 9, 10):
        found = difference(image, copy_of(draw(CATEGORY, seed)))
        assert found.whole > 2 * MOST.whole


def test_one_thing_with_another_print_is_not_one_photograph() -> None:
    shirt = draw(CATEGORY, 7)
    other = shirt.copy()
    ImageDraw.Draw(other, "RGBA").ellipse((36, 40, 48, 52), fill=(10, 10, 10, 90))
    found = difference(copy_of(shirt), copy_of(other))
    # So small a print says nothing about the whole; and it is no mark, though it lies within a band.
    assert found.whole < MOST.whole
    assert min(found.patch / MOST.patch, found.colour / MOST.colour) > 1


def test_blank_pictures_are_one_and_differ_from_others() -> None:
    white, grey = (copy_of(Image.new("RGB", (40, 40), (each,) * 3)) for each in (255, 120))
    assert difference(white, white) == Difference(0, 0, 0)
    assert difference(white, grey).whole > 50
    assert not difference(white, copy_of(draw(1, 3))).within(MOST)


def test_a_fit_that_is_enough_is_not_bettered() -> None:
    image = draw(CATEGORY, 7)
    pair = copy_of(image), copy_of(cropped(image, 0.05, 0.1))
    best = difference(*pair)
    assert best <= difference(*pair, best) <= difference(*pair, Difference(255, 255, 255))


def test_a_thing_of_another_colour_is_not_one_photograph() -> None:
    """Though it covers no more than a mark would, from the upper edge to the lower."""
    pictures = []
    for colour in ((120, 40, 60), (60, 60, 130)):
        image = Image.new("RGB", (96, 96), (250, 250, 250))
        ImageDraw.Draw(image).rectangle((44, 0, 53, 96), fill=colour)
        pictures.append(copy_of(image))
    assert not difference(*pictures).within(MOST)


@pytest.mark.parametrize("colour", [(255, 255, 255), (200, 30, 60), (0, 90, 250)])
def test_a_small_copy_keeps_light_and_colour(colour: tuple[int, int, int]) -> None:
    made = small_copy(Image.new("RGB", (300, 20), colour))
    assert (made.dtype, made.shape) == (np.uint8, (COPY_BYTES,))
    assert np.abs(pixels_of(made) - np.array(colour)).max() < 3


def test_a_small_copy_may_be_of_a_part() -> None:
    image = draw(1, 3).resize((400, 300))
    part = small_copy(image, Box(0.25, 0.5, 0.75, 1.0))
    cut = small_copy(image.crop((100, 150, 300, 300)))
    # What lies beyond the part may reach into its edge.
    assert np.abs(part.astype(int) - cut).max() <= 8
    assert np.abs(part.astype(int) - small_copy(image)).max() > 50
