"""From bytes that anyone may have sent to pixels, within bounds of memory and time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

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
_BAND = 2**20
"""Pixels of wide values that are converted at a time."""
_MOST_SCANS = 100
"""Of a progressive JPEG; encoders make about ten. Each is a pass over all pixels, and takes a few bytes."""
_SCANS_READ = 1024
"""Bytes of a progressive JPEG decoded at a time: a few scans, where a block of Pillow may have them all."""
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Behind 0xFF, 0 and restarts are pixels, and 1, 0xD8 and 0xFF have no length: none of them begins a segment.
_SEGMENT = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its EXIF's orientation."""


class PictureRefused(Exception):
    """A picture cannot be used: `reason` is one of `REASONS`, the message says more."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """`detail`: one sentence, for the caller or the shop."""
        super().__init__(detail)
        self.reason = reason


class DecodingEnded(Exception):
    """The time for a picture was over before it was decoded."""


class _Watched(io.BytesIO):
    """A file whose reading ends with the time for it."""

    def __init__(self, content: bytes, is_over: Callable[[], bool]) -> None:
        super().__init__(content)
        self._is_over = is_over

    def read(self, size: int | None = -1, /) -> bytes:
        if self._is_over():
            raise DecodingEnded("the time was over when the picture was being decoded")
        return super().read(size)


def decode(
    content: bytes, limits: PictureLimits, least_side: int = 0, is_over: Callable[[], bool] | None = None
) -> Image.Image:
    """The first frame of a picture, upright, as RGB.

    Transparent places become white; 16 bits per channel become 8.

    Args:
        content: a file of one of `FORMATS`, whatever its name.
        limits: checked before anything is decoded.
        least_side: a JPEG may be decoded at an eighth, a quarter or half of its size, as long as its sides
            keep this many pixels, which takes a fraction of the time; 0 = full size.
        is_over: asked before each block of the file that is read; where it says so, decoding ends. WebP and
            compressed TIFF are unpacked in one step that cannot be ended. None = it never is.

    Raises:
        PictureRefused: the bytes are no picture within the limits, or a damaged one.
        DecodingEnded: `is_over` said so.
    """
    if not content:
        raise PictureRefused("empty", "the picture has no bytes")
    if len(content) > limits.bytes:
        raise PictureRefused(
            "too_many_bytes", f"the picture has {len(content):,} bytes; at most {limits.bytes:,} are read"
        )
    try:
        file = io.BytesIO(content) if is_over is None else _Watched(content, is_over)
        image = Image.open(file, formats=FORMATS)
    except DecodingEnded:
        raise
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
            _check_work(image, content, limits)
            return _upright_rgb(image, least_side)
        except (PictureRefused, DecodingEnded):
            raise
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


def _check_work(image: Image.Image, content: bytes, limits: PictureLimits) -> None:
    """Raises PictureRefused where a picture of few pixels has its decoder unpack many."""
    if image.format == "TIFF":
        tags = getattr(image, "tag_v2", {})
        width, height = (tags.get(tag, 0) for tag in (_TILE_WIDTH, _TILE_LENGTH))
        # A tile is unpacked whole, however much of it lies in the picture.
        if width * height > limits.pixels:
            raise PictureRefused(
                "too_many_pixels",
                f"the picture's tiles are {width:,} × {height:,}; at most {limits.pixels:,} pixels are "
                "decoded",
            )
    if image.info.get("progressive") and _more_scans(content, _MOST_SCANS):
        raise PictureRefused(
            "too_many_pixels",
            f"the picture's pixels come in more than {_MOST_SCANS} scans, each of them a pass",
        )


def _more_scans(content: bytes, most: int) -> bool:
    """Whether a JPEG has more than so many scans, before its end."""
    scans, place = 0, 2
    while scans <= most and (found := _SEGMENT.search(content, place)):
        kind, place = found.group(1)[0], found.end()
        if kind == _END_OF_IMAGE:
            break
        scans += kind == _START_OF_SCAN
        place += int.from_bytes(content[place : place + 2], "big")
    return scans > most


def _upright_rgb(image: Image.Image, least_side: int) -> Image.Image:
    if least_side:
        # Only JPEG's decoder does this; others ignore it.
        image.draft("RGB", (least_side, least_side))
    if isinstance(image, ImageFile.ImageFile) and image.info.get("progressive"):
        image.decodermaxblock = _SCANS_READ
    # An animated picture is read at its first frame.
    image.load()
    turn = _turn(image)
    return _rgb(image if turn is None else image.transpose(turn))


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # What EXIF says beside the pixels may be broken in any way; the picture is not.
        return None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        flat = Image.new("RGB", image.size, _BACKGROUND)
        flat.paste(image, mask=image.getchannel("A"))
        return flat
    # The caller closes the opened file, which would take pixels along that are not copied.
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """uint8[H, W] of 32 bits: 16-bit integers by their upper byte, others stretched from their range."""
    width, height = image.size
    rows = max(1, _BAND // width)
    bands = [(top, min(top + rows, height)) for top in range(0, height, rows)]

    def values(band: tuple[int, int]) -> NDArray[np.float64]:
        wide = np.asarray(image.crop((0, band[0], width, band[1]))).astype(np.float64)
        return np.nan_to_num(wide, copy=False, posinf=0, neginf=0)

    low = min(float(values(band).min()) for band in bands)
    high = max(float(values(band).max()) for band in bands)
    scale = 255 / ((high - low) or 1.0)
    if low >= 0 and high <= 255:
        low, scale = 0.0, 1.0
    elif image.mode == "I" and low >= 0 and high <= 65_535:
        low, scale = 0.0, 1 / 256
    made = np.empty((height, width), np.uint8)
    for band in bands:
        made[band[0] : band[1]] = (values(band) - low) * scale
    return made


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
