"""Photos of products on shelves searched for in a catalogue of clean pictures: zero-shot, and trained.

    python -m benchmarks.photo_search [--cache FOLDER]

`shared/data/grocery_photos`: 81 products with one clean picture each, and 2,936 phone photos. Recall@1 and @5
of the photo's product in features as they are, in the space that a catalogue alone gives, in the one trained
by the photos of the given training range, and in one trained without the photos and pictures of 20 products,
whose photos are then searched for among all 81 and among the 20. How the map is trained was chosen on other
photos of the training range.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from benchmarks.picture_features import InProcessEncoder
from benchmarks.public_data import SHARED
from recall.picture_space import PictureSpace
from vision.fit_by_photos import Labelled, fit_by_photos, recall_at
from vision.fit_space import fit_space

_DIMENSIONS, _HELD_OUT = 256, 20


def _row(name: str, space: PictureSpace, catalogue: Labelled, photos: Labelled) -> None:
    figures = "  ".join(f"R@{k} {recall_at(space, catalogue, photos, k):.3f}" for k in (1, 5))
    print(f"{name:48} {figures}  ({len(photos.items):,} photos, {len(catalogue.items)} products)", flush=True)


def main() -> None:
    """Prints one row per space."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    encoder = InProcessEncoder(parser.parse_args().cache)
    folder = SHARED / "grocery_photos"
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("catalogue", "photos")}
    catalogue, photos = (
        Labelled(
            (table["class_id"].to_numpy() + 1).astype(np.int32),
            encoder.features([Image.open(io.BytesIO(each)).convert("RGB") for each in table["jpeg"]]),
        )
        for table in tables.values()
    )
    training = (tables["photos"]["split"] == "train").to_numpy()
    known, others = photos.take(np.flatnonzero(training)), photos.take(np.flatnonzero(~training))
    width = catalogue.features.shape[1]
    as_they_are = PictureSpace(np.zeros(width, np.float32), np.eye(width, dtype=np.float32))
    for name, asked in (("all photos", photos), ("validation range", others)):
        _row(f"features as they are, {name}", as_they_are, catalogue, asked)
        _row(
            f"space of the catalogue, {name}", fit_space(catalogue.features, _DIMENSIONS, 1), catalogue, asked
        )
    fit = fit_by_photos(catalogue, known, _DIMENSIONS, seed=1)
    print(f"held-out photos of the training range: trained {fit.trained:.3f}, plain {fit.plain:.3f}")
    _row("trained, validation range", fit.space, catalogue, others)
    for seed in range(3):
        out = np.random.default_rng(seed).permutation(catalogue.items)[:_HELD_OUT]
        inside = catalogue.take(np.flatnonzero(~np.isin(catalogue.items, out)))
        seen = known.take(np.flatnonzero(~np.isin(known.items, out)))
        fit = fit_by_photos(inside, seen, _DIMENSIONS, seed=1)
        asked = photos.take(np.flatnonzero(np.isin(photos.items, out)))
        apart = catalogue.take(np.flatnonzero(np.isin(catalogue.items, out)))
        for name, among in (("all 81", catalogue), ("the 20", apart)):
            _row(f"20 products unseen (draw {seed}), among {name}", fit.space, among, asked)
            _row("    the same, features as they are", as_they_are, among, asked)


if __name__ == "__main__":
    main()
