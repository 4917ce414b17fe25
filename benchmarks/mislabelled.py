"""How well items that are listed wrongly are found by their pictures, with labels changed on purpose.

    python -m benchmarks.mislabelled [--pictures 2400] [--changed 0.05] [--cache FOLDER]

The first pictures of `shared/data/myntra_fashion`, in the space that they give themselves, as a build makes
it. Of a part of the items the label is replaced by that of another item; which of the found items these are
gives precision and recall. The catalogue's own mistakes count as wrong finds, so precision is a lower bound:
those found without any change are printed by title, and the accuracy of the layers that judge.
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
from vision.fit_space import fit_space
from vision.mislabelled import find_mislabelled

_DIMENSIONS, _SHOWN = 256, 12


def main() -> None:
    """Prints a row per column, and the items of the catalogue that look listed wrongly."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=2_400)
    parser.add_argument("--changed", type=float, default=0.05, help="part of the items")
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    given = parser.parse_args()
    folder = SHARED / "myntra_fashion"
    images = pl.read_parquet(folder / "images.parquet").head(given.pictures)
    table = images.join(pl.read_parquet(folder / "items.parquet"), on="id", how="left", maintain_order="left")
    features = InProcessEncoder(given.cache).features(
        [Image.open(io.BytesIO(each)).convert("RGB") for each in table["jpeg"]]
    )
    vectors = fit_space(features, _DIMENSIONS, 1).project(features)
    items = np.arange(1, table.height + 1, dtype=np.int32)
    random = np.random.default_rng(1)
    for column in ("subCategory", "articleType"):
        names, codes = np.unique(table[column].to_numpy(), return_inverse=True)
        truth = np.concatenate(([0], codes + 1)).astype(np.int32)
        plain = find_mislabelled(items, vectors, truth, 1)
        changed = np.flatnonzero(random.random(table.height) < given.changed) + 1
        listed = truth.copy()
        listed[changed] = truth[random.integers(1, table.height + 1, len(changed))]
        changed = changed[listed[changed] != truth[changed]]
        found = find_mislabelled(items, vectors, listed, 1)
        if plain is None or found is None:
            raise SystemExit("too few pictures")
        hits = np.isin(found.items, changed)
        first = hits[: len(changed)]
        right = found.likely[hits] == truth[found.items[hits]]
        print(
            f"{column}: {len(names)} classes, {plain.judged:,} judged, picture says the label "
            f"{plain.accuracy:.3f}; {len(changed)} labels changed: found {len(found.items)}, precision "
            f"{hits.mean():.3f}, recall {hits.sum() / len(changed):.3f}, of the first {len(first)} "
            f"{first.mean():.3f}; named right {right.mean():.3f}; unchanged, {len(plain.items)} are found",
            flush=True,
        )
        for item, as_listed, as_likely in zip(plain.items[:_SHOWN], plain.listed, plain.likely, strict=False):
            print(f"  {table['title'][int(item) - 1]}: {names[as_listed - 1]}, rather {names[as_likely - 1]}")


if __name__ == "__main__":
    main()
