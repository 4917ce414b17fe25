"""Decoding: every kind of picture becomes RGB or is refused with a reason, and nothing else ever happens."""

from __future__ import annotations

import io
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.vision.pictures import BAD, COLOURED, GOOD, encoded, huge, wide
from vision.decode import REASONS, DecodingEnded, PictureRefused, decode
from vision.settings import PictureLimits
from vision.square import Box, square

LIMITS = PictureLimits()


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("least_side", [0, 16])
def test_a_usable_picture_becomes_rgb(name: str, least_side: int) -> None:
    image = decode(GOOD[name], LIMITS, least_side)
    assert image.mode == "RGB"
    assert square(image, 32).shape == (32, 32, 3)


@pytest.mark.parametrize("name", BAD)
def test_an_unusable_picture_is_refused_with_its_reason(name: str) -> None:
    reason, content = BAD[name]
    with pytest.raises(PictureRefused) as refusal:
        decode(content, LIMITS)
    assert refusal.value.reason == reason
    assert str(refusal.value)


@pytest.mark.parametrize("name", ["turned", "turned, with broken EXIF"])
def test_a_picture_is_turned_as_its_exif_says(name: str) -> None:
    pixels = np.asarray(decode(GOOD[name], LIMITS))
    assert pixels.shape == (40, 80, 3)
    assert pixels[20, 10, 0] > 180 > 60 > pixels[20, 10, 2]
    assert pixels[20, 70, 2] > 180 > 60 > pixels[20, 70, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_every_turn_is_the_one_that_exif_defines(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(
        COLOURED.crop((0, 0, 90, 40)), form, exif=exif, **{"WEBP": {"lossless": True}}.get(form, {})
    )
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert (np.asarray(decode(content, LIMITS)) == expected).all()


def test_an_animated_picture_is_read_at_its_first_frame() -> None:
    assert np.asarray(decode(GOOD["animated"], LIMITS))[5, 5].tolist() == [255, 0, 0]


def test_transparent_places_become_white() -> None:
    pixels = np.asarray(decode(GOOD["transparent"], LIMITS))
    assert pixels[2, 2].tolist() == [255, 255, 255]
    assert pixels[30, 30].tolist() == [0, 160, 0]


def test_sixteen_bits_keep_their_order() -> None:
    row = np.asarray(decode(GOOD["sixteen bits"], LIMITS))[0, :, 0].astype(int)
    assert row[0] == 0
    assert row[-1] == 255
    assert (np.diff(row) > 0).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 7, 255], [0, 7, 255]),
        ([0, 256, 65_535], [0, 1, 255]),
        ([-51, 0, 51], [0, 127, 255]),
        ([70_000, 70_000, 70_000], [0, 0, 0]),
    ],
)
def test_32_bits_become_eight(values: list[int], expected: list[int]) -> None:
    picture = np.tile(np.repeat(np.array(values, np.int32), 20), (20, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = np.asarray(decode(wide(picture), LIMITS))
    assert pixels[10, 10::20, 1].tolist() == expected


def test_wide_values_are_converted_in_little_memory() -> None:
    content = wide(np.tile(np.linspace(-1, 1, 2_000, dtype=np.float32), (2_000, 1)))
    tracemalloc.start()
    try:
        decode(content, LIMITS)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # At 8 bytes a value, all four million at once are 32 MB in each step.
    assert most < 45_000_000


@pytest.mark.parametrize("name", ["png", "cmyk", "webp", "bmp"])
def test_colours_survive(name: str) -> None:
    difference = np.asarray(decode(GOOD[name], LIMITS)).astype(int) - np.asarray(COLOURED)
    assert np.abs(difference).mean() < 12


def test_a_large_jpeg_is_decoded_at_part_of_its_size() -> None:
    content = encoded(COLOURED.resize((1600, 1200)), "JPEG")
    assert decode(content, LIMITS, 200).size == (400, 300)
    assert decode(content, LIMITS).size == (1600, 1200)


def test_limits_hold_before_pixels_are_decoded() -> None:
    with pytest.raises(PictureRefused, match="at most 1,024 are read"):
        decode(b"x" * 1025, PictureLimits(bytes=1024))
    with pytest.raises(PictureRefused, match="96 × 96; at most 4,096 pixels"):
        decode(GOOD["png"], PictureLimits(pixels=4096))
    assert len(huge()) < 200


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(GOOD)),
    cut=st.floats(0, 1),
    at=st.floats(0, 1),
    noise=st.binary(max_size=12),
)
def test_whatever_is_sent_is_decoded_or_refused(name: str, cut: float, at: float, noise: bytes) -> None:
    content = bytearray(GOOD[name])
    place = int(at * len(content))
    content[place : place + len(noise)] = noise
    refused, image = "", None
    try:
        image = decode(bytes(content[: round(cut * len(content))]), PictureLimits(pixels=1_000_000))
    except PictureRefused as refusal:
        refused = refusal.reason
    if image is None:
        assert refused in REASONS
    else:
        assert image.mode == "RGB"
        assert image.width * image.height <= 1_000_000


@given(st.tuples(*[st.floats(0, 1)] * 4), st.tuples(st.integers(16, 90), st.integers(16, 90)))
def test_any_box_gives_a_square(edges: tuple[float, ...], size: tuple[int, int]) -> None:
    left, right = sorted(edges[:2])
    top, bottom = sorted(edges[2:])
    assert square(Image.new("RGB", size), 24, Box(left, top, right, bottom)).shape == (24, 24, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "progressive"])
def test_decoding_ends_soon_after_its_time(form: str) -> None:
    """Of each the first blocks are read, and far from all."""
    side = 700
    picture = Image.effect_noise((side, side), 90).convert("RGB")
    content = {
        "JPEG": lambda: encoded(picture, "JPEG", quality=95),
        "PNG": lambda: encoded(picture, "PNG", compress_level=1),
        "progressive": lambda: encoded(Image.new("RGB", (side, side)), "JPEG", progressive=True),
    }[form]()
    asked = 0

    def is_over() -> bool:
        nonlocal asked
        asked += 1
        return False

    whole = decode(content, PictureLimits(), is_over=is_over)
    assert whole.size == (side, side)
    needed, asked = asked, 0
    assert needed > 6

    def is_over_in_the_middle() -> bool:
        return is_over() or asked > needed - 3

    with pytest.raises(DecodingEnded):
        decode(content, PictureLimits(), is_over=is_over_in_the_middle)
    with pytest.raises(DecodingEnded):
        decode(content, PictureLimits(), is_over=lambda: True)


@pytest.mark.parametrize("name", GOOD)
def test_a_watched_picture_is_the_same(name: str) -> None:
    watched = decode(GOOD[name], LIMITS, 16, lambda: False)
    assert (np.asarray(watched) == np.asarray(decode(GOOD[name], LIMITS, 16))).all()
