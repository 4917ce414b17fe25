"""How well fingerprints tell a changed copy of a picture from another picture of the same kind and colour.

    python -m benchmarks.near_identical [--pictures 300] [--served]

Pictures of the validation and test range of Myntra's catalogue (`benchmarks.public_data`) are cropped,
scaled, compressed, marked and shifted in colour. A pair of a picture and its copy is to be recognised, a pair
of the copy and another picture of the same article type and colour is not: one such pair is drawn for each
copy. The threshold of every form is that of best F1 on the validation range; figures are of the test range.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.picture_features import InProcessEncoder
from benchmarks.public_data import SHARED
from vision.fingerprint import fingerprints, hamming
from vision.near_identical import largest_difference
from vision.same_picture import difference, pixels_of, small_copy
from vision.settings import PictureSettings
from vision.structure import structure

_MOST_OF_A_KIND = 40
_SIDE_OF_HASH = 16
_DRAWS = 1000

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


def pairs(
    prints: NDArray[np.uint8], copies: NDArray[np.uint8], others: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bits in which copies differ from their pictures, and from another picture of the kind."""

    def bits(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.asarray(np.bitwise_count(first ^ second).sum(1), np.int64)

    known = others >= 0
    return bits(copies, prints), bits(copies[known], prints[others[known]])


def f1(copies: NDArray[np.int64], others: NDArray[np.int64], bits: int) -> tuple[float, float, float]:
    """F1, precision and recall where pairs that differ in at most `bits` bits are taken for copies."""
    found, wrong = int((copies <= bits).sum()), int((others <= bits).sum())
    precision, recall = found / max(found + wrong, 1), found / len(copies)
    return 2 * precision * recall / max(precision + recall, 1e-9), precision, recall


def hashes(name: str) -> Callable[[list[Image.Image]], NDArray[np.uint8]]:
    """A perceptual hash of `imagehash`, of 256 bits."""
    import imagehash

    function = getattr(imagehash, name)

    def of(pictures: list[Image.Image]) -> NDArray[np.uint8]:
        return np.array([np.packbits(function(each, hash_size=_SIDE_OF_HASH).hash) for each in pictures])

    return of


Prints = tuple[str, NDArray[np.uint8], dict[str, NDArray[np.uint8]]]
"""Name of a form, the bits of the pictures, and of their copies by change."""


def _forms(sampled: Sample, encoder: InProcessEncoder) -> Iterator[Prints]:
    plain = encoder.features(sampled.pictures)
    changed = {name: encoder.features(copies) for name, copies in sampled.copies.items()}
    everything = fingerprints(np.concatenate([plain, *changed.values()]))
    parts = np.split(everything, len(changed) + 1)
    yield "fingerprint", parts[0], dict(zip(changed, parts[1:], strict=True))
    for name in ("phash", "dhash", "average_hash"):
        of = hashes(name)
        yield name, of(sampled.pictures), {key: of(copies) for key, copies in sampled.copies.items()}


@dataclass(frozen=True)
class Judged:
    """Pairs judged by the rule that is served.

    Attributes:
        row: int64[m], the picture whose copy it is.
        change: str[m], what was done to the copy.
        copy: bool[m], whether the other picture is the copy's own.
        found: bool[m], whether the rule takes both for one photograph.
    """

    row: NDArray[np.int64]
    change: NDArray[np.str_]
    copy: NDArray[np.bool_]
    found: NDArray[np.bool_]

    def figures(self, chosen: NDArray[np.bool_]) -> tuple[float, float, float]:
        """F1, precision and recall of chosen pairs, bool[m]."""
        hits = int((self.found & self.copy & chosen).sum())
        wrong = int((self.found & ~self.copy & chosen).sum())
        precision, recall = hits / max(hits + wrong, 1), hits / max(int((self.copy & chosen).sum()), 1)
        return 2 * precision * recall / max(precision + recall, 1e-9), precision, recall

    def interval(self, seed: int) -> tuple[float, float]:
        """95 % interval of F1 over all pairs, by drawing pictures again with all their pairs."""
        rng = np.random.default_rng(seed)
        count = int(self.row.max()) + 1
        values = []
        for _ in range(_DRAWS):
            times = np.bincount(rng.integers(count, size=count), minlength=count)[self.row]
            hits, wrong = (float(times[self.found & kind].sum()) for kind in (self.copy, ~self.copy))
            values.append(2 * hits / (hits + wrong + float(times[self.copy].sum())))
        low, high = np.quantile(values, (0.025, 0.975)).tolist()
        return low, high


def judged(sampled: Sample, others: NDArray[np.int64], encoder: InProcessEncoder) -> Judged:
    """Every pair by the rule by which a build groups: codes that say what is compared, and small copies.

    Features are made only of pictures whose structures do not already say that they are compared.
    """
    settings = PictureSettings()
    plain = [pixels_of(small_copy(each)) for each in sampled.pictures]
    structures = np.stack([structure(each) for each in sampled.pictures])
    features = encoder.features(sampled.pictures)
    rows: list[tuple[int, str, bool, bool]] = []
    for change, copies in sampled.copies.items():
        pairs = [
            (row, partner, copied)
            for row in range(len(copies))
            for partner, copied in ((row, True), (int(others[row]), False))
            if partner >= 0
        ]
        codes = np.stack([structure(each) for each in copies])
        near = np.array(
            [
                hamming(codes[row], structures[partner]) <= settings.compared_structure_bits
                for row, partner, _ in pairs
            ]
        )
        left = sorted({pairs[place][0] for place in np.flatnonzero(~near).tolist()})
        prints = fingerprints(np.concatenate((features, encoder.features([copies[row] for row in left]))))
        print_of = dict(zip(left, prints[len(features) :], strict=True))
        for place, (row, partner, copied) in enumerate(pairs):
            compared = bool(near[place]) or bool(
                hamming(print_of[row], prints[partner]) <= settings.compared_bits
            )
            rows.append(
                (row, change, copied, compared and _one_photograph(plain[partner], copies[row], settings))
            )
    return Judged(*(np.array(column) for column in zip(*rows, strict=True)))


def _one_photograph(plain: NDArray[np.float32], copy: Image.Image, settings: PictureSettings) -> bool:
    most = largest_difference(settings)
    return difference(plain, pixels_of(small_copy(copy)), most).within(most)


def _served(pairs: Judged) -> str:
    everything = np.ones(len(pairs.row), np.bool_)
    low, high = pairs.interval(1)
    figures = "  ".join(f"{value:.4f}" for value in pairs.figures(everything))
    each = "  ".join(
        f"{change} {' '.join(f'{value:.3f}' for value in pairs.figures(pairs.change == change))}"
        for change in CHANGES
    )
    return f"served  F1, precision, recall {figures} (F1 {low:.4f} to {high:.4f})  of each: {each}"


def main() -> None:
    """Prints one row per form, and one of the rule that is served."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=300, help="of either range")
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    parser.add_argument("--served", action="store_true", help="the rule that is served alone")
    given = parser.parse_args()
    encoder = InProcessEncoder(given.cache)
    chosen: dict[str, int] = {}
    for split in ("val", "test"):
        sampled = sample(split, given.pictures, seed=1)
        others = others_of_a_kind(sampled.kind, np.random.default_rng(2))
        paired = int((others >= 0).sum())
        print(f"{split}: {len(sampled.pictures)} pictures, {paired} with another of the kind", flush=True)
        print(_served(judged(sampled, others, encoder)), flush=True)
        for name, prints, copies in () if given.served else _forms(sampled, encoder):
            measured = {change: pairs(prints, changed, others) for change, changed in copies.items()}
            same = np.concatenate([each[0] for each in measured.values()])
            other = np.concatenate([each[1] for each in measured.values()])
            if split == "val":
                chosen[name] = max(range(256), key=lambda bits: f1(same, other, bits)[0])
                continue
            bits = chosen[name]
            figures = "  ".join(f"{value:.3f}" for value in f1(same, other, bits))
            recalls = "  ".join(
                f"{change} {(each[0] <= bits).mean():.3f}" for change, each in measured.items()
            )
            print(
                f"{name:12} ≤ {bits:3} bits  F1, precision, recall {figures}  recall: {recalls}", flush=True
            )


if __name__ == "__main__":
    main()
