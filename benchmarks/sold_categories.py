"""The small network of categories, taught by pictures drawn evenly and as their categories are bought.

    python -m benchmarks.sold_categories [--learned 4000] [--passes 4] [--draws 2]

Pictures of `shared/data/myntra_fashion`, which has no sales: they are made. Its sub-categories are ranked by
chance, the one of rank r has a share of 1 / r of the purchases (Zipf), and 10,000 are drawn by these
shares, once for each of `--draws`. A network is taught by pictures drawn evenly, one for each of the draws by
pictures drawn as they were bought (`pictures.category_network`, the defaults), all by the same number of
pictures seen. Accuracies of the validation and the test range: as they are, and weighted, so that each
sub-category counts as it was bought. Intervals are of 95 %, pictures drawn with replacement.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.category_predictor import Pictures, pictures_of, read, spread_rows
from foundation.statistics.bootstrap import ratio_interval
from models.category_network import CategoryNetwork
from models.category_training import LabelledPictures, train_network
from models.picture_network import PictureNetwork, load_pretrained
from vision.category_sales import Sales, draws_of
from vision.settings import CategoryNetworkSettings

_PURCHASES, _PART = 10_000, 64
_RANGES = ("val", "test")


def made_sales(classes: int, seed: int) -> NDArray[np.int64]:
    """int64[C], purchases of each class: a Zipf distribution over ranks of chance."""
    random = np.random.default_rng(seed)
    shares = 1 / (1 + random.permutation(classes))
    return random.multinomial(_PURCHASES, shares / shares.sum()).astype(np.int64)


def weights_of(classes: NDArray[np.int64], sold: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[n], by which pictures of classes int64[n] (−1 = none) count as these were sold, int64[C]."""
    known = classes >= 0
    counts = np.bincount(classes[known], minlength=len(sold))
    return np.where(known, (sold / np.maximum(counts, 1))[classes], 0.0)


def _right(network: CategoryNetwork, pictures: Pictures) -> dict[str, NDArray[np.bool_]]:
    found = {}
    for part in _RANGES:
        pixels = torch.from_numpy(pictures_of(pictures.files[part]))
        with torch.no_grad():
            named = torch.cat([network(each)[0].argmax(dim=1) for each in pixels.split(_PART)])
        found[part] = named.numpy() == pictures.classes["category"][part]
    return found


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> str:
    low, high = ratio_interval(
        values * weights, weights, np.arange(len(values)), np.random.default_rng(0), draws=2_000
    )
    return f"{np.average(values, weights=weights):+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    """Prints the accuracies of either way, and their difference, for each draw of sales."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learned", type=int, default=4_000, help="pictures of the training range")
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--draws", type=int, default=2, help="of sales")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pictures = read("myntra")
    learned = pictures.files["train"]
    rows = spread_rows(len(learned), given.learned)
    names = tuple(pictures.classes)
    evenly = LabelledPictures(
        pictures_of(learned[rows], pictures.sides),
        tuple(pictures.classes[level]["train"][rows] for level in names),
        np.arange(len(rows)),
    )
    classes = len(pictures.names["category"])
    counts = tuple(len(pictures.names[level]) for level in names)

    def taught(training: LabelledPictures) -> dict[str, NDArray[np.bool_]]:
        encoder = PictureNetwork()
        load_pretrained(encoder)
        began = time.process_time()

        def told(done: int, loss: float) -> None:
            print(f"  {time.process_time() - began:6,.0f} s of CPU, {done}: {loss:.3f}", flush=True)

        return _right(train_network(training, counts, encoder, given.passes, 1, told), pictures)

    base = taught(evenly)
    for seed in range(given.draws):
        sold = made_sales(classes, seed)
        settings = CategoryNetworkSettings(draw_by="sales")
        draws = draws_of(Sales(sold, settings.sales_days), np.arange(classes), settings)
        expected = draws.of(evenly.classes[0])
        found = taught(dataclasses.replace(evenly, draws=expected))
        for part in _RANGES:
            weights = weights_of(pictures.classes["category"][part], sold)
            alike = np.ones(len(weights))
            change = found[part].astype(float) - base[part]
            for how, each in (("as bought", weights), ("all alike", alike)):
                print(
                    f"sales {seed} | {part:4} | {how} | evenly {_mean(base[part].astype(float), each)} | by "
                    f"sales {_mean(found[part].astype(float), each)} | difference {_mean(change, each)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
