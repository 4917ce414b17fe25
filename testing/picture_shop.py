"""A synthetic shop whose items have pictures: drawn by a seed, some nearly identical, some not usable."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageDraw

from testing.synthetic_shop import CATEGORIES, write_synthetic_shop

SIDE = 96


def draw(category: int, seed: int) -> Image.Image:
    """A picture of an item: its category chooses the shape, its seed pattern, place and size."""
    random = np.random.default_rng((category, seed))
    image = Image.new("RGB", (SIDE, SIDE), (245, 245, 245))
    fields = random.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    pattern = Image.fromarray(fields).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    shape = Image.new("L", (SIDE, SIDE))
    pen = ImageDraw.Draw(shape)
    radius = int(random.integers(SIDE // 3, SIDE // 2 - 6))
    x, y = (int(value) for value in random.integers(SIDE // 2 - 6, SIDE // 2 + 6, 2))
    box = (x - radius, y - radius, x + radius, y + radius)
    if category % 3 == 0:
        pen.ellipse(box, fill=255)
    elif category % 3 == 1:
        pen.rectangle(box, fill=255)
    else:
        pen.regular_polygon((x, y, radius), 3 + category % 4, rotation=15 * (category % 7), fill=255)
    image.paste(pattern, mask=shape)
    return image


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """The picture as a JPEG file."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return content.getvalue()


def write_picture_shop(
    folder: Path, users: int = 120, items: int = 300, events: int = 6000, seed: int = 0, pictured: int = 120
) -> None:
    """Writes a synthetic shop, and pictures of its first `pictured` items below `images/`.

    Item 2k + 1 of the first 20 shows the picture of item 2k, compressed a little harder. The last five
    pictured items have a text called .jpg, a picture cut off, an address, a path out of the folder, no file.
    """
    write_synthetic_shop(folder, users, items, events, seed)
    table = pl.read_csv(folder / "items.csv")
    images = folder / "images"
    images.mkdir()
    names: list[str | None] = []
    for row, category in enumerate(table["category"][:pictured].to_list()):
        twin = row < 20 and row % 2 == 1
        shown = draw(CATEGORIES.index(table["category"][row - 1] if twin else category), row - twin)
        (images / f"{row}.jpg").write_bytes(jpeg(shown, 80 if twin else 90))
        names.append(f"images/{row}.jpg")
    (images / f"{pictured - 1}.jpg").write_text("this is no picture")
    cut = images / f"{pictured - 2}.jpg"
    cut.write_bytes(cut.read_bytes()[:600])
    names[pictured - 3] = "https://example.com/a.jpg"
    names[pictured - 4] = "../outside.jpg"
    names[pictured - 5] = "images/absent.jpg"
    names += [None] * (items - pictured)
    table.with_columns(pl.Series("image", names)).write_csv(folder / "items.csv")
