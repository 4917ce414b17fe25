"""Where things are in photos: trained layers beside what stands out of the ground, and what a search gains.

    python -m benchmarks.object_boxes [--scenes 1000] [--pictures 400] [--photos 296] [--cache FOLDER]

The layers learn from scenes made of pictures of the training range of `shared/data/myntra_fashion`. Boxes are
compared with the truth on scenes of its test range, on made-up grounds and on photos of shelves
(`shared/data/grocery_photos`), which training did not see: mean overlap (IoU) of the surest box with the
nearest thing, the part of these above .5, and the part of all things that some box finds (overlap above .5).
Then photos of groceries are searched for among catalogue pictures by their features as they are: of the whole
photo, of the surest box, and, where the two differ in sureness, of the box only when it is surer than a
threshold that was chosen on other photos.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from benchmarks.picture_features import InProcessEncoder
from benchmarks.public_data import SHARED
from models.picture_encoder import SIDE
from recall.found_boxes import FoundBoxes, overlaps
from recall.object_head import ObjectHead
from vision.composites import scene
from vision.fit_object_head import fit_object_head
from vision.salience import salient_boxes
from vision.square import Box, square

Finder = Callable[[Image.Image], FoundBoxes]
_WHOLE = FoundBoxes(np.array([[0, 0, 1, 1]], np.float32), np.ones(1, np.float32))
_LEAST, _MOST, _GOOD = 0.2, 5, 0.5


def trained_finder(head: ObjectHead, encoder: InProcessEncoder) -> Finder:
    """Boxes by the trained layers."""

    def find(image: Image.Image) -> FoundBoxes:
        fine, coarse = encoder.maps(square(image, SIDE)[None])
        return head.find(fine[0], coarse[0], _MOST, _LEAST)

    return find


def table_row(name: str, scenes: list[tuple[Image.Image, NDArray[np.float32]]], finder: Finder) -> str:
    """Overlap of the surest box, and the things found."""
    best, found, things, boxes = [], 0, 0, 0
    for image, truth in scenes:
        made = finder(image)
        boxes += len(made)
        best.append(overlaps(made.edges[:1], truth).max(initial=0.0))
        found += int((overlaps(made.edges, truth).max(axis=0, initial=0.0) > _GOOD).sum())
        things += len(truth)
    return (
        f"{name:42} surest box: overlap {np.mean(best):.3f}, above .5 {np.mean(np.array(best) > _GOOD):.3f}; "
        f"things found {found / things:.3f}, boxes a scene {boxes / len(scenes):.1f}"
    )


def on_shelves(
    pictures: list[Image.Image], shelves: list[Image.Image], count: int, seed: int
) -> list[tuple[Image.Image, NDArray[np.float32]]]:
    """Scenes whose ground is a photo of a shelf."""
    random = np.random.default_rng(seed)
    return [
        (Image.fromarray(made), boxes)
        for made, boxes in (
            scene(pictures, SIDE, random, shelves[row % len(shelves)].resize((SIDE, SIDE)))
            for row in range(count)
        )
    ]


def recall_at(
    catalogue: NDArray[np.float32],
    classes: NDArray[np.int64],
    asked: NDArray[np.float32],
    truth: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each photo's class is the first, and among the first five."""
    order = classes[np.argsort(-(asked @ catalogue.T), axis=1, kind="stable")]
    return order[:, 0] == truth, (order[:, :5] == truth[:, None]).any(axis=1)


def _search(given: argparse.Namespace, encoder: InProcessEncoder, finders: dict[str, Finder]) -> None:
    folder = SHARED / "grocery_photos"
    catalogue = pl.read_parquet(folder / "catalogue.parquet")
    photos = pl.read_parquet(folder / "photos.parquet")
    pictures = [Image.open(io.BytesIO(each)).convert("RGB") for each in catalogue["jpeg"]]
    vectors, classes = encoder.features(pictures), catalogue["class_id"].to_numpy()
    parts = {
        "chosen on": photos.filter(pl.col("split") == "train").sample(given.photos, seed=1),
        "validation": photos.filter(pl.col("split") != "train").head(given.photos),
    }
    thresholds: dict[str, float] = {}
    for part, table in parts.items():
        images = [Image.open(io.BytesIO(each)).convert("RGB") for each in table["jpeg"]]
        truth = table["class_id"].to_numpy()
        whole = recall_at(vectors, classes, encoder.features(images), truth)
        print(
            f"{part:12} whole photo{'':34} R@1 {whole[0].mean():.3f}  R@5 {whole[1].mean():.3f}", flush=True
        )
        for name, finder in finders.items():
            found = [finder(image) for image in images]
            sure = np.array([each.confidence.max(initial=0) for each in found])
            cut = [
                image.crop(Box(*map(float, each.edges[0])).of(*image.size)) if len(each) else image
                for image, each in zip(images, found, strict=True)
            ]
            boxed = recall_at(vectors, classes, encoder.features(cut), truth)
            area = np.mean(
                [float((each.edges[0, 2:] - each.edges[0, :2]).prod()) if len(each) else 1 for each in found]
            )
            if part == "chosen on":
                grid = np.linspace(0, 1, 41)
                right = [np.where(sure >= each, boxed[0], whole[0]).mean() for each in grid]
                thresholds[name] = float(grid[int(np.argmax(right))])
            chosen = [
                np.where(sure >= thresholds[name], a, b).mean() for a, b in zip(boxed, whole, strict=True)
            ]
            print(
                f"{part:12} {name:10} surest box (area {area:.2f}) R@1 {boxed[0].mean():.3f}  "
                f"R@5 {boxed[1].mean():.3f}; box where surer than {thresholds[name]:.3f} "
                f"({(sure >= thresholds[name]).mean():.2f} of them): {chosen[0]:.3f}, {chosen[1]:.3f}",
                flush=True,
            )


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=1_000)
    parser.add_argument("--pictures", type=int, default=400, help="of the training range")
    parser.add_argument("--photos", type=int, default=296)
    parser.add_argument("--tested", type=int, default=200, help="scenes of the test range, of either ground")
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    given = parser.parse_args()
    encoder = InProcessEncoder(given.cache)
    folder = SHARED / "myntra_fashion"
    table = pl.read_parquet(folder / "items.parquet").join(
        pl.read_parquet(folder / "images.parquet"), on="id"
    )
    parts = {
        split: [
            Image.open(io.BytesIO(each)).convert("RGB")
            for each in table.filter(pl.col("split") == split).sample(given.pictures, seed=1)["jpeg"]
        ]
        for split in ("train", "test")
    }
    began = time.process_time()
    head = fit_object_head(parts["train"], encoder.maps, SIDE, given.scenes, 16, 1, lambda done, of: None)
    if head is None:
        raise SystemExit("too few pictures or scenes")
    print(
        f"fitted in {time.process_time() - began:.0f} s of CPU; on scenes held out {head.overlap:.3f}",
        flush=True,
    )
    finders: dict[str, Finder] = {"trained": trained_finder(head, encoder), "salience": salient_boxes}
    random = np.random.default_rng(9)
    shelves = [
        Image.open(io.BytesIO(each)).convert("RGB")
        for each in pl.read_parquet(SHARED / "grocery_photos" / "photos.parquet").sample(100, seed=2)["jpeg"]
    ]
    made = [
        (Image.fromarray(each), boxes)
        for each, boxes in (scene(parts["test"], SIDE, random) for _ in range(given.tested))
    ]
    grounds = {
        "made-up grounds": made,
        "photos of shelves": on_shelves(parts["test"], shelves, given.tested, 10),
    }
    for ground, scenes in grounds.items():
        for name, finder in ({"whole picture": lambda image: _WHOLE} | finders).items():
            print(table_row(f"{ground}, {name}", scenes, finder), flush=True)
    _search(given, encoder, finders)


if __name__ == "__main__":
    main()
