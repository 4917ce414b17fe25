"""From bytes that anyone may have sent to pixels, within bounds of memory and time."""

from __future__ import annotations

import io
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from vision.settings import PictureLimits

Reason = Literal[
    "empty",
    "too_many_bytes",
    "vector_graphic",
    "unknown_format",
    "too_many_pixels",
    "too_small",
    "damaged",
]
"""Why a picture cannot be used."""
REASONS: tuple[Reason, ...] = get_args(Reason)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats that are read, as Pillow names them. A JPEG with a second view (MPO) is read as its first."""
_BACKGROUND = (255, 255, 255)
_WIDE_MODES = ("I", "F")


class PictureRefused(Exception):
    """A picture cannot be used: `reason` is one of `REASONS`, the message says more."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """`detail`: one sentence, for the caller or the shop."""
        super().__init__(detail)
        self.reason = reason


def decode(content: bytes, limits: PictureLimits, least_side: int = 0) -> Image.Image:
    """The first frame of a picture, upright, as RGB.

    Transparent places become white; 16 bits per channel become 8.

    Args:
        content: a file of one of `FORMATS`, whatever its name.
        limits: checked before anything is decoded.
        least_side: a JPEG may be decoded at an eighth, a quarter or half of its size, as long as its sides
            keep this many pixels, which takes a fraction of the time; 0 = full size.

    Raises:
        PictureRefused: the bytes are no picture within the limits, or a damaged one.
    """
    if not content:
        raise PictureRefused("empty", "the picture has no bytes")
    if len(content) > limits.bytes:
        raise PictureRefused(
            "too_many_bytes", f"the picture has {len(content):,} bytes; at most {limits.bytes:,} are read"
        )
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _unknown(content) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureRefused(
            "too_many_pixels", f"the picture has more than the {limits.pixels:,} pixels that are decoded"
        ) from error
    except Exception as error:
        # Pillow's parsers raise whatever a broken header leads them into.
        raise PictureRefused("damaged", f"the picture's header is damaged ({_said(error)})") from error
    with image:
        _check_size(image.size, limits)
        try:
            return _upright_rgb(image, least_side)
        except Exception as error:
            # As above: a picture that ends early, or whose pixels cannot be unpacked.
            raise PictureRefused(
                "damaged", f"the {image.format} picture is cut off or damaged ({_said(error)})"
            ) from error


def _check_size(size: tuple[int, int], limits: PictureLimits) -> None:
    width, height = size
    if width * height > limits.pixels:
        raise PictureRefused(
            "too_many_pixels",
            f"the picture is {width:,} × {height:,}; at most {limits.pixels:,} pixels are decoded",
        )
    if min(size) < limits.side:
        raise PictureRefused(
            "too_small", f"the picture is {width} × {height}; its shorter side needs {limits.side} pixels"
        )


def _upright_rgb(image: Image.Image, least_side: int) -> Image.Image:
    if least_side:
        # Only JPEG's decoder does this; others ignore it.
        image.draft("RGB", (least_side, least_side))
    # An animated picture is read at its first frame.
    image.load()
    return _rgb(ImageOps.exif_transpose(image))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in _WIDE_MODES:
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        flat = Image.new("RGB", image.size, _BACKGROUND)
        flat.paste(image, mask=image.getchannel("A"))
        return flat
    return image.convert("RGB")


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 of grey values: 16-bit integers by their upper byte, what is wider stretched from its range."""
    if values.dtype == np.uint16 or (values.dtype.kind == "i" and 255 < values.max() <= 65_535):
        return (values.astype(np.uint32) >> 8).astype(np.uint8)
    wide = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    low, high = wide.min(), wide.max()
    if low >= 0 and high <= 255:
        return wide.astype(np.uint8)
    stretched: NDArray[np.uint8] = ((wide - low) * (255 / (high - low))).astype(np.uint8)
    return stretched


def _unknown(content: bytes) -> PictureRefused:
    head = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml")) or b"<svg" in head:
        return PictureRefused(
            "vector_graphic", "the picture is a drawing (SVG); send it as JPEG, PNG or WebP"
        )
    return PictureRefused(
        "unknown_format", "the bytes are no picture that is read: JPEG, PNG, WebP, GIF, BMP or TIFF"
    )


def _said(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:120]
