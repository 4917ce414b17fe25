"""Histograms of colours, counted in small copies."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from testing.picture_shop import draw
from vision.colours import COLOURS, colours_of
from vision.same_picture import pixels_of, small_copy


def colours_of_picture(image: Image.Image) -> np.ndarray:
    return colours_of(small_copy(image)[None])[0]


def test_they_are_those_that_pillow_counts() -> None:
    for seed in range(6):
        copy = small_copy(draw(seed, seed))
        pixels = np.clip(np.round(pixels_of(copy)), 0, 255).astype(np.uint8)
        hue, saturation, value = np.moveaxis(np.asarray(Image.fromarray(pixels).convert("HSV"), int), 2, 0)
        code = (hue * 8 // 256 * 4 + saturation * 4 // 256) * 4 + value * 4 // 256
        expected = np.sqrt(np.bincount(code.ravel(), minlength=COLOURS) / code.size)
        # These pixels have their colours interpolated, so that places at edges differ.
        assert colours_of(copy[None])[0] @ expected > 0.97
        assert colours_of(small_copy(draw(seed, seed + 9))[None])[0] @ expected < 0.95


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((250, 250, 250), (0, 0, 3)),
        ((5, 5, 5), (0, 0, 0)),
        ((230, 20, 30), (7, 3, 3)),
        ((230, 60, 20), (0, 3, 3)),
        ((30, 200, 40), (2, 3, 3)),
        ((20, 30, 150), (5, 3, 2)),
    ],
)
def test_a_picture_of_one_colour_has_one(
    colour: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    made = colours_of_picture(Image.new("RGB", (60, 80), colour))
    assert made.argmax() == np.ravel_multi_index(expected, (8, 4, 4))
    assert made.max() == pytest.approx(1)


def test_each_has_length_one_however_many_there_are() -> None:
    copies = np.stack([small_copy(draw(seed % 6, seed)) for seed in range(5)])
    many = colours_of(np.tile(copies, (110, 1)))
    assert (many.dtype, many.shape) == (np.float32, (550, COLOURS))
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(many[545:], colours_of(copies))
    assert colours_of(copies[:0]).shape == (0, COLOURS)


def test_another_colour_is_far_and_another_size_is_near() -> None:
    shirt, blue = (Image.new("RGB", (90, 90), "white") for _ in range(2))
    shirt.paste((200, 30, 60), (20, 20, 70, 70))
    blue.paste((30, 60, 200), (20, 20, 70, 70))
    own = colours_of_picture(shirt)
    assert own @ colours_of_picture(blue) < 0.7
    # The mixed colours of edges differ.
    assert own @ colours_of_picture(shirt.resize((40, 40))) > 0.94
