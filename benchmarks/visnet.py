"""The embedding of pictures with and without a shallow branch, trained by triplets and by proxies.

    python -m benchmarks.visnet [--cache FOLDER] [--draws 3] [--items 2400]

The trunk is EfficientNet-lite0 as it is; what is trained is the map of its features to vectors, and what is
beside them: nothing, shallow convolutions, or a histogram of colours. Each form learns once from the first
four fifths of each product's training photos in `shared/data/grocery_photos`, in the order of their files, by
which photos of one shelf mostly stay together; the last fifth is the validation that chooses, and the given
validation range is the test. Then 20 products are left out of training, and their photos searched for among
these 20 and among all 81. In `shared/data/myntra_fashion`, pictures of the validation and the test range are
searched for among those of the training range; right is one of the same article type and colour. Intervals
are of 95 %, products drawn with replacement; differences are from proxies with nothing beside 512 dimensions.
"""

from __future__ import annotations

import argparse
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.local_features import colours, gradients
from benchmarks.picture_features import InProcessEncoder
from benchmarks.public_data import SHARED
from benchmarks.visnet_network import SMALL, Beside, Pictures, VisNet
from benchmarks.visnet_training import Loss, train, vectors
from foundation.statistics.bootstrap import grouped_interval
from recall.picture_space import PictureSpace
from vision.fit_space import fit_space
from vision.square import square

_HELD_OUT, _UNSEEN = 5, 20
_MARGINS = (0.1, 0.2, 0.4)
_ASKED = {"val": 500, "test": 800}
"""Pictures of Myntra that are searched for, by range."""
_KINDS = {"fruit": (0, 28), "packages": (28, 59), "vegetables": (59, 81)}
"""Products of groceries, first and behind the last."""


@dataclass(frozen=True)
class Form:
    """One row of the tables: `loss` None = principal components, not trained."""

    dimensions: int
    beside: Beside
    loss: Loss | None

    def __str__(self) -> str:
        """Its name in the tables."""
        beside = "" if self.beside == "nothing" else f" + {self.beside}"
        return f"{self.dimensions:5}{beside:10} {self.loss or 'components'}"


BASE = Form(512, "nothing", "proxies")
FORMS = (
    Form(1280, "nothing", None),
    Form(512, "nothing", None),
    Form(256, "nothing", None),
    BASE,
    Form(256, "nothing", "proxies"),
    Form(1280, "nothing", "proxies"),
    Form(512, "shallow", "proxies"),
    Form(512, "colours", "proxies"),
    Form(512, "nothing", "triplets"),
    Form(1280, "nothing", "triplets"),
    Form(512, "shallow", "triplets"),
    Form(512, "colours", "triplets"),
)


def pictures_of(
    contents: pl.Series,
    deep: NDArray[np.float32],
    products: NDArray[np.int64],
    classes: NDArray[np.int64],
) -> Pictures:
    """What networks and scorers see of files, whose features are `deep`."""
    images = [Image.open(io.BytesIO(each)).convert("RGB") for each in contents]
    small = np.stack([square(each, SMALL) for each in images])
    return Pictures(deep, small, colours(images), gradients(images), products, classes)


class Fitted:
    """A form that has learned, or principal components."""

    def __init__(self, form: Form, asked: Pictures, shown: Pictures, margin: float, *, itself: bool) -> None:
        """Trains it; takes the time."""
        began = time.process_time()
        everything = shown.deep if itself else np.concatenate((asked.deep, shown.deep))
        self._space: PictureSpace = fit_space(everything, form.dimensions, 1)
        torch.manual_seed(1)
        self._network = None if form.loss is None else VisNet(self._space, form.beside)
        if form.loss is not None and self._network is not None:
            train(self._network, form.loss, asked, shown, 1, margin=margin, itself=itself)
        self.seconds = time.process_time() - began

    def hits(self, asked: Pictures, shown: Pictures) -> NDArray[np.bool_]:
        """bool[n, 2]: whether each picture's product is the first, and among the first five pictures."""
        a, b = (
            self._space.project(each.deep) if self._network is None else vectors(self._network, each)
            for each in (asked, shown)
        )
        order = shown.products[np.argsort(-(a @ b.T), axis=1, kind="stable")[:, :5]]
        found = order == asked.products[:, None]
        return np.stack((found[:, 0], found.any(axis=1)), axis=1)


def share(hits: NDArray[np.bool_], products: NDArray[np.int64]) -> str:
    """A mean with its interval."""
    low, high = grouped_interval(hits.astype(float), products, np.random.default_rng(0))
    return f"{hits.mean():.3f} [{low:.3f}, {high:.3f}]"


def difference(hits: NDArray[np.bool_], base: NDArray[np.bool_] | None, products: NDArray[np.int64]) -> str:
    """The mean of paired differences with its interval."""
    if base is None:
        return ""
    values = hits.astype(float) - base
    low, high = grouped_interval(values, products, np.random.default_rng(0))
    return f", {values.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def compare(
    forms: tuple[Form, ...],
    learned: tuple[Pictures, Pictures],
    parts: dict[str, tuple[Pictures, Pictures]],
    margin: float,
    *,
    itself: bool = False,
    kinds: dict[str, NDArray[np.bool_]] | None = None,
) -> None:
    """Prints a row per form.

    Args:
        forms: `BASE` before those that are compared with it.
        learned: pictures asked and shown of which forms learn.
        parts: name → pictures asked and shown.
        margin: of triplets.
        itself: what is asked and shown in training is one set.
        kinds: name → rows of the last part whose share is shown, too.
    """
    base: dict[str, NDArray[np.bool_]] = {}
    for form in forms:
        fitted = Fitted(form, *learned, margin, itself=itself)
        row = f"{form!s:26}"
        for name, (asked, shown) in parts.items():
            hits = fitted.hits(asked, shown)
            if form == BASE:
                base[name] = hits[:, 0]
            row += (
                f" | {name} R@1 {share(hits[:, 0], asked.products)}"
                f"{difference(hits[:, 0], base.get(name), asked.products)}, R@5 {hits[:, 1].mean():.3f}"
            )
        for name, rows in (kinds or {}).items():
            row += f" | {name} {hits[rows, 0].mean():.3f}"
        print(f"{row} | {fitted.seconds:.0f} s of CPU", flush=True)


def last_fifth(products: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """bool[n]: the last fifth of each product's photos, which are in the order of the products."""
    rank = np.arange(len(products)) - np.searchsorted(products, products)
    count = np.bincount(products)[products]
    return np.asarray(rank >= count - count // _HELD_OUT)


def groceries(catalogue: Pictures, photos: Pictures, training: NDArray[np.bool_], draws: int) -> float:
    """The tables of `grocery_photos`. Returns the margin chosen."""
    known, others = photos.take(np.flatnonzero(training)), photos.take(np.flatnonzero(~training))
    held, taught = (known.take(np.flatnonzero(last_fifth(known.products) == kept)) for kept in (True, False))
    found = {
        margin: float(
            Fitted(Form(512, "nothing", "triplets"), taught, catalogue, margin, itself=False)
            .hits(held, catalogue)[:, 0]
            .mean()
        )
        for margin in _MARGINS
    }
    margin = max(found, key=lambda each: found[each])
    print(f"R@1 of the validation by margin: {found}; taken: {margin}", flush=True)
    kinds = {
        name: (others.products >= low) & (others.products < high) for name, (low, high) in _KINDS.items()
    }
    compare(
        FORMS,
        (taught, catalogue),
        {"validation": (held, catalogue), "test": (others, catalogue)},
        margin,
        kinds=kinds,
    )
    for seed in range(draws):
        out = np.random.default_rng(seed).permutation(catalogue.products)[:_UNSEEN]
        inside, apart = (
            catalogue.take(np.flatnonzero(np.isin(catalogue.products, out) == unseen))
            for unseen in (False, True)
        )
        seen = known.take(np.flatnonzero(~np.isin(known.products, out)))
        asked = photos.take(np.flatnonzero(np.isin(photos.products, out)))
        print(f"20 products unseen, draw {seed}", flush=True)
        compare(
            FORMS, (seen, inside), {"among the 20": (asked, apart), "among 81": (asked, catalogue)}, margin
        )
    return margin


def _grocery_tables(encoder: InProcessEncoder, draws: int) -> float:
    folder = SHARED / "grocery_photos"
    tables = [pl.read_parquet(folder / f"{name}.parquet") for name in ("catalogue", "photos")]
    catalogue, photos = (
        pictures_of(
            table["jpeg"],
            encoder.features([Image.open(io.BytesIO(each)).convert("RGB") for each in table["jpeg"]]),
            table["class_id"].to_numpy(),
            table["coarse_id"].to_numpy(),
        )
        for table in tables
    )
    return groceries(catalogue, photos, (tables[1]["split"] == "train").to_numpy(), draws)


def fashion(parts: dict[str, pl.DataFrame], deep: dict[str, NDArray[np.float32]], margin: float) -> None:
    """The table of `myntra_fashion`: `parts` train, val and test, and the features of their pictures."""
    everything = pl.concat([table.select("articleType", "baseColour") for table in parts.values()])
    types = {name: code for code, name in enumerate(everything["articleType"].unique(maintain_order=True))}
    pairs = {pair: code for code, pair in enumerate(everything.unique(maintain_order=True).rows())}
    sets = {
        name: pictures_of(
            table["jpeg"],
            deep[name],
            np.array([pairs[each] for each in table.select("articleType", "baseColour").rows()]),
            np.array([types[each] for each in table["articleType"]]),
        )
        for name, table in parts.items()
    }
    shown = sets["train"]
    asked, kinds = {}, {}
    for name, title in (("val", "validation"), ("test", "test")):
        rows = np.flatnonzero(np.isin(sets[name].products, shown.products))
        asked[title] = (sets[name].take(rows), shown)
        masters = parts[name]["masterCategory"].to_numpy()[rows]
        kinds = {each: masters == each for each in ("Apparel", "Accessories", "Footwear", "Personal Care")}
    compare(FORMS, (shown, shown), asked, margin, itself=True, kinds=kinds)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    parser.add_argument("--draws", type=int, default=3, help="of 20 products that training does not see")
    parser.add_argument("--items", type=int, default=2_400, help="of Myntra's training range")
    given = parser.parse_args()
    torch.set_num_threads(1)
    encoder = InProcessEncoder(given.cache)
    margin = _grocery_tables(encoder, given.draws)
    folder = SHARED / "myntra_fashion"
    table = pl.read_parquet(folder / "items.parquet").join(
        pl.read_parquet(folder / "images.parquet"), on="id"
    )
    parts = {
        name: table.filter(pl.col("split") == name).sort("id").sample(count, seed=1)
        for name, count in ({"train": given.items} | _ASKED).items()
    }
    deep = {
        name: encoder.features([Image.open(io.BytesIO(each)).convert("RGB") for each in part["jpeg"]])
        for name, part in parts.items()
    }
    fashion(parts, deep, margin)


if __name__ == "__main__":
    main()
