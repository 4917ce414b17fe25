"""Pictures of every kind that a caller may send, made in memory."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from testing.picture_shop import draw, jpeg

COLOURED = draw(1, 3)
"""An RGB picture of 96 × 96."""


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """The picture as a file of a format."""
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def turned_by_exif() -> bytes:
    """A JPEG that lies on its side, as its EXIF says; upright, its left half is red, its right blue."""
    upright = Image.new("RGB", (80, 40), (220, 20, 20))
    upright.paste((20, 20, 220), (40, 0, 80, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(upright.rotate(90, expand=True), "JPEG", exif=exif, quality=95)


def animated() -> bytes:
    """A GIF of a red, then a blue frame."""
    red, blue = (Image.new("RGB", (40, 40), colour) for colour in ((255, 0, 0), (0, 0, 255)))
    return encoded(red, "GIF", save_all=True, append_images=[blue], duration=100)


def transparent() -> bytes:
    """A PNG, fully transparent but for a green square in the middle."""
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    image.paste((0, 160, 0, 255), (20, 20, 40, 40))
    return encoded(image, "PNG")


def sixteen_bits() -> bytes:
    """A grey PNG of 16 bits, from black on the left to white on the right."""
    row = np.linspace(0, 65_535, 64).astype(np.uint16)
    return encoded(Image.fromarray(np.tile(row, (64, 1))), "PNG")


def huge() -> bytes:
    """The header of a PNG of 20,000 × 20,000 pixels, as a small file of one colour has it."""
    small = bytearray(encoded(Image.new("L", (32, 32)), "PNG"))
    import struct
    import zlib

    small[16:24] = struct.pack(">II", 20_000, 20_000)
    small[29:33] = struct.pack(">I", zlib.crc32(bytes(small[12:29])))
    return bytes(small)


GOOD = {
    "jpeg": jpeg(COLOURED),
    "png": encoded(COLOURED, "PNG"),
    "webp": encoded(COLOURED, "WEBP"),
    "bmp": encoded(COLOURED, "BMP"),
    "tiff": encoded(COLOURED, "TIFF"),
    "palette": encoded(COLOURED.convert("P"), "PNG"),
    "grey": encoded(COLOURED.convert("L"), "JPEG"),
    "one bit": encoded(COLOURED.convert("1"), "PNG"),
    "cmyk": encoded(COLOURED.convert("CMYK"), "JPEG"),
    "transparent": transparent(),
    "sixteen bits": sixteen_bits(),
    "animated": animated(),
    "turned": turned_by_exif(),
    "blank": jpeg(Image.new("RGB", (50, 50), (255, 255, 255))),
}
"""Name → a file that can be used."""

BAD = {
    "empty": ("empty", b""),
    "text": ("unknown_format", b"this is no picture" * 9),
    "svg": ("vector_graphic", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"),
    "truncated": ("damaged", jpeg(COLOURED)[:700]),
    "truncated png": ("damaged", encoded(COLOURED, "PNG")[:120]),
    "one pixel": ("too_small", encoded(Image.new("RGB", (1, 1)), "PNG")),
    "huge": ("too_many_pixels", huge()),
}
"""Name → (reason, a file that cannot be used)."""
