"""Changed copies of catalogue pictures, and other pictures of the same article type and colour."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.public_data import SHARED

_MOST_OF_A_KIND = 40

Rng = np.random.Generator


def crop(image: Image.Image, rng: Rng) -> Image.Image:
    """85 % of either side, from anywhere."""
    width, height = round(image.width * 0.85), round(image.height * 0.85)
    left, top = int(rng.integers(image.width - width + 1)), int(rng.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def half(image: Image.Image, rng: Rng) -> Image.Image:
    """Half of either side."""
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def double(image: Image.Image, rng: Rng) -> Image.Image:
    """Twice either side."""
    return image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)


def compressed(image: Image.Image, rng: Rng) -> Image.Image:
    """As a JPEG of quality 40."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=40)
    return Image.open(content).convert("RGB")


def marked(image: Image.Image, rng: Rng) -> Image.Image:
    """A translucent band of one colour over a tenth of the picture."""
    copy = image.copy()
    height = max(1, round(image.height * 0.1))
    top = int(rng.integers(image.height - height + 1))
    colour = tuple(int(value) for value in rng.integers(0, 256, 3))
    ImageDraw.Draw(copy, "RGBA").rectangle((0, top, image.width, top + height - 1), fill=(*colour, 180))
    return copy


def shifted(image: Image.Image, rng: Rng) -> Image.Image:
    """Every colour brighter or darker by at most 10 %."""
    factors = 1 + rng.uniform(-0.1, 0.1, 3)
    return Image.fromarray(np.clip(np.asarray(image) * factors, 0, 255).astype(np.uint8))


CHANGES: Mapping[str, Callable[[Image.Image, Rng], Image.Image]] = {
    "crop to 85 %": crop,
    "scale .5": half,
    "scale 2": double,
    "JPEG 40": compressed,
    "mark over 10 %": marked,
    "colours ± 10 %": shifted,
}


@dataclass(frozen=True)
class Sample:
    """Pictures of one range, the kind of each (article type and colour), and their changed copies."""

    pictures: list[Image.Image]
    kind: NDArray[np.int64]
    copies: dict[str, list[Image.Image]]


def sample(split: str, count: int, seed: int) -> Sample:
    """About `count` pictures of a range: of randomly drawn kinds, at most 40 of each, each content once."""
    folder = SHARED / "myntra_fashion"
    table = pl.read_parquet(folder / "items.parquet").join(
        pl.read_parquet(folder / "images.parquet"), on="id"
    )
    kind = pl.col("articleType") + pl.lit("|") + pl.col("baseColour").fill_null("")
    table = table.filter(pl.col("split") == split).unique("jpeg", maintain_order=True).with_columns(kind=kind)
    rng = np.random.default_rng(seed)
    sizes = table.group_by("kind").len().sort("kind")
    order = rng.permutation(sizes.height)
    taken = np.minimum(sizes["len"].to_numpy()[order], _MOST_OF_A_KIND)
    chosen = sizes["kind"].gather(order[: int(np.searchsorted(np.cumsum(taken), count)) + 1])
    table = table.filter(pl.col("kind").is_in(chosen.implode()))
    table = table.filter(pl.int_range(pl.len()).over("kind") < _MOST_OF_A_KIND)
    pictures = [Image.open(io.BytesIO(content)).convert("RGB") for content in table["jpeg"]]
    codes = np.unique(table["kind"].to_numpy(), return_inverse=True)[1]
    copies = {name: [change(picture, rng) for picture in pictures] for name, change in CHANGES.items()}
    return Sample(pictures, codes.astype(np.int64), copies)


def others_of_a_kind(kind: NDArray[np.int64], rng: Rng) -> NDArray[np.int64]:
    """Of every picture, another one of its kind, drawn at random; −1 where there is none."""
    others = np.full(len(kind), -1)
    for code in np.unique(kind):
        members = np.flatnonzero(kind == code)
        if len(members) > 1:
            order = rng.permutation(members)
            others[order] = np.roll(order, 1)
    return others
