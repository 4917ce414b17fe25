"""Pictures of every kind that a caller may send, made in memory."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
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


def turned_with_broken_exif() -> bytes:
    """As `turned_by_exif`; its EXIF says the width in letters, so that Pillow cannot write it again."""
    entries = struct.pack("<HHII", 0x0100, 2, 4, int.from_bytes(b"wide", "little"))
    entries += struct.pack("<HHII", 0x0112, 3, 1, 6)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    upright = Image.open(io.BytesIO(turned_by_exif()))
    return encoded(upright, "JPEG", exif=exif, quality=95)


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
    small[16:24] = struct.pack(">II", 20_000, 20_000)
    small[29:33] = struct.pack(">I", zlib.crc32(bytes(small[12:29])))
    return bytes(small)


def with_text(characters: int) -> bytes:
    """A PNG with compressed text that unpacks to so many characters."""
    picture = encoded(COLOURED, "PNG")
    text = b"Comment\0\0" + zlib.compress(bytes(characters), 9)
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    return picture[:33] + chunk + picture[33:]


def in_scans(more: int) -> bytes:
    """A progressive JPEG of ten scans whose last one comes so many times more."""
    picture = encoded(COLOURED, "JPEG", progressive=True)
    last = picture[picture.rindex(b"\xff\xda") : -2]
    return picture[:-2] + last * more + picture[-2:]


def in_one_tile(side: int) -> bytes:
    """A TIFF of 64 × 64 grey pixels in one tile, compressed, of `side` × `side`."""
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(side)) for _ in range(side)) + packer.flush()
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 0, 325: len(pixels)}
    tags[324] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def wide(values: NDArray[Any]) -> bytes:
    """A TIFF of grey values of 32 bits, compressed."""
    return encoded(Image.fromarray(values), "TIFF", compression="tiff_adobe_deflate")


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
    "animated webp": encoded(COLOURED, "WEBP", save_all=True, append_images=[COLOURED.rotate(90)] * 9),
    "pages": encoded(COLOURED, "TIFF", save_all=True, append_images=[COLOURED.rotate(90)] * 40),
    "one tile": in_one_tile(256),
    "progressive": in_scans(20),
    "wide and of one value": wide(np.full((40, 40), 70_000, np.int32)),
    "not numbers": wide(np.full((40, 40), np.nan, np.float32)),
    "turned": turned_by_exif(),
    "turned, with broken EXIF": turned_with_broken_exif(),
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
    "huge tile": ("too_many_pixels", in_one_tile(6_000)),
    "many scans": ("too_many_pixels", in_scans(120)),
    "text that unpacks to much": ("damaged", with_text(2 * 2**20)),
}
"""Name → (reason, a file that cannot be used)."""
