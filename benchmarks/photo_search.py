"""Photos of products on shelves searched for in a catalogue of clean pictures, by what a shop's build makes.

    python -m benchmarks.photo_search [--cache FOLDER] [--seeds 5] [--draws 3]

`shared/data/grocery_photos`: 81 products with one clean picture each, and 2,936 phone photos. Compared are
features alone and with the picture's colours beside them at several weights, in the space that a catalogue
alone gives and in the one that photos train (`vision.fit_by_photos`). The validation that chooses is the last
fifth of each product's training photos, in the order of their files, by which photos of one shelf mostly stay
together; spaces learn from the others, once for each seed. The test is the given validation range, searched
for in spaces that learn from all training photos; then 20 products are left out of training, and their photos
searched for among these 20 and among all 81. Intervals are of 95 %, products drawn with replacement;
differences are from features alone in as many dimensions.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from benchmarks.picture_features import InProcessEncoder
from benchmarks.public_data import SHARED
from benchmarks.visnet import difference, last_fifth, share
from recall.picture_space import PictureSpace
from vision.colours import COLOURS
from vision.fit_by_photos import Labelled, fit_by_photos
from vision.fit_space import fit_space
from vision.look import make_looks
from vision.same_picture import small_copy

_UNSEEN = 20


@dataclass(frozen=True)
class Form:
    """One row: dimensions of vectors, and the weight of colours; 0 = features alone."""

    dimensions: int
    weight: float

    def __str__(self) -> str:
        """Its name in the tables."""
        beside = f"colours × {self.weight:g} beside" if self.weight else "features alone"
        return f"{self.dimensions} dimensions, {beside:21}"


BASE, SERVED = Form(512, 0.0), Form(512, 0.5)
FORMS = (BASE, Form(256, 0.0), Form(512, 0.25), SERVED, Form(256, 0.5), Form(512, 1.0))


@dataclass(frozen=True)
class Pictures:
    """products int32[n], features float32[n, 1280] and small copies uint8[n, 3456] of n pictures."""

    products: NDArray[np.int32]
    features: NDArray[np.float32]
    copies: NDArray[np.uint8]

    def take(self, rows: NDArray[np.bool_]) -> Pictures:
        """Those of bool[n]."""
        return Pictures(self.products[rows], self.features[rows], self.copies[rows])

    def labelled(self, weight: float) -> Labelled:
        """Their looks as a build fits spaces to them."""
        colours = COLOURS if weight else 0
        return Labelled(self.products, make_looks(self.features, self.copies, colours, weight))


def hits(space: PictureSpace, catalogue: Labelled, photos: Labelled) -> NDArray[np.bool_]:
    """bool[n, 2]: whether each photo's product is the first, and among the first five pictures."""
    likeness = space.project(photos.features) @ space.project(catalogue.features).T
    order = catalogue.items[np.argsort(-likeness, axis=1, kind="stable")[:, :5]]
    found = order == photos.items[:, None]
    return np.stack((found[:, 0], found.any(axis=1)), axis=1)


def choose(catalogue: Pictures, known: Pictures, seeds: int) -> None:
    """Prints R@1 of the validation by form and seed."""
    held = last_fifth(known.products)
    for form in FORMS:
        shown, taught, asked = (
            each.labelled(form.weight) for each in (catalogue, known.take(~held), known.take(held))
        )
        plain = hits(fit_space(shown.features, form.dimensions, 1), shown, asked)
        found = [
            hits(fit_by_photos(shown, taught, form.dimensions, seed).space, shown, asked)[:, 0].mean()
            for seed in range(1, seeds + 1)
        ]
        print(
            f"validation | {form} | catalogue's space {plain[:, 0].mean():.3f} | "
            f"trained {np.mean(found):.4f} ({', '.join(f'{each:.3f}' for each in found)})",
            flush=True,
        )


def table(
    title: str,
    learned: tuple[Pictures, Pictures],
    parts: dict[str, tuple[Pictures, Pictures]],
    forms: tuple[Form, ...],
) -> None:
    """Prints R@1 and R@5 by form: spaces of the catalogue and trained, `learned` = (photos, catalogue).

    parts: name → (photos, catalogue); `BASE` is the first of `forms`.
    """
    base: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for form in forms:
        photos, catalogue = (each.labelled(form.weight) for each in learned)
        spaces = {
            "catalogue's space": fit_space(catalogue.features, form.dimensions, 1),
            "trained": fit_by_photos(catalogue, photos, form.dimensions, 1).space,
        }
        for (kind, space), (name, pair) in ((a, b) for a in spaces.items() for b in parts.items()):
            asked, shown = (each.labelled(form.weight) for each in pair)
            found = hits(space, shown, asked)
            first = base.setdefault((kind, name), found[:, 0])
            products = asked.items.astype(np.int64)
            print(
                f"{title} | {form} | {kind:17} | {name:12} R@1 {share(found[:, 0], products)}"
                f"{difference(found[:, 0], first, products)}, R@5 {found[:, 1].mean():.3f}",
                flush=True,
            )


def compare(
    catalogue: Pictures, photos: Pictures, training: NDArray[np.bool_], seeds: int, draws: int
) -> None:
    """Prints all tables; training: bool[n], photos of the given training range."""
    known = photos.take(training)
    choose(catalogue, known, seeds)
    both = (BASE, SERVED)
    table("test", (known, catalogue), {"of all 81": (photos.take(~training), catalogue)}, (*both, FORMS[1]))
    for seed in range(draws):
        out = np.random.default_rng(seed).permutation(catalogue.products)[:_UNSEEN]
        unseen, asked = np.isin(catalogue.products, out), photos.take(np.isin(photos.products, out))
        learned = known.take(~np.isin(known.products, out)), catalogue.take(~unseen)
        among = {"among the 20": (asked, catalogue.take(unseen)), "among all 81": (asked, catalogue)}
        table(f"20 unseen, draw {seed}", learned, among, both)


def pictures_of(table: pl.DataFrame, encoder: InProcessEncoder) -> Pictures:
    """What a build makes of a table's files."""
    images = [Image.open(io.BytesIO(each)).convert("RGB") for each in table["jpeg"]]
    return Pictures(
        table["class_id"].to_numpy().astype(np.int32),
        encoder.features(images),
        np.stack([small_copy(each) for each in images]),
    )


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    parser.add_argument("--seeds", type=int, default=5, help="of trainings that the validation chooses by")
    parser.add_argument("--draws", type=int, default=3, help="of 20 products that training does not see")
    given = parser.parse_args()
    encoder = InProcessEncoder(given.cache)
    folder = SHARED / "grocery_photos"
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("catalogue", "photos")}
    catalogue, photos = (pictures_of(each, encoder) for each in tables.values())
    training = (tables["photos"]["split"] == "train").to_numpy()
    compare(catalogue, photos, training, given.seeds, given.draws)


if __name__ == "__main__":
    main()
