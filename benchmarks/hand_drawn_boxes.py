"""Photos searched for by all of them, by the box that is found, and by one that was drawn by hand.

    python -m benchmarks.hand_drawn_boxes [--scenes 600] [--pictures 300] [--cache FOLDER]

`benchmarks/hand_drawn_boxes.csv` has boxes of 60 photos, drawn at random from the 296 of the validation range
of `shared/data/grocery_photos`: row of the photo in its file, digest of its bytes, edges in pixels. What the
photo is of was drawn: what a hand holds, else the most prominent whole piece, a bunch or a pack; where pieces
are smaller than 40 pixels, the heap. Boxes are found as in `benchmarks.object_boxes`. Recall@1 and @5 among
81 catalogue pictures by the features as they are, and in the spaces that are served, of 512 dimensions with
colours (`benchmarks.photo_search`): of a shop without photos, and trained by those of the training range.
Intervals are of 95 %, products drawn with replacement; differences are from the whole photo. Skipped, with a
line that says so, where the data are absent.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from benchmarks.object_boxes import Finder, trained_finder
from benchmarks.photo_search import SERVED, Pictures, hits, pictures_of
from benchmarks.picture_features import InProcessEncoder
from benchmarks.public_data import SHARED
from foundation.statistics.bootstrap import grouped_interval
from models.picture_encoder import FEATURES, SIDE
from recall.found_boxes import overlaps
from recall.picture_space import PictureSpace
from vision.fit_by_photos import fit_by_photos
from vision.fit_object_head import fit_object_head
from vision.fit_space import fit_space
from vision.salience import salient_boxes
from vision.same_picture import small_copy
from vision.square import WHOLE, Box

BOXES = Path(__file__).with_suffix(".csv")
_DIGEST, _GOOD = 8, 0.5
_EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class DrawnBox:
    """A box that was drawn by hand.

    Attributes:
        row: of the photo in its file, from 0.
        digest: of the photo's bytes, hexadecimal.
        edges: left, top, right, bottom in pixels; the last two are behind the box.
    """

    row: int
    digest: str
    edges: tuple[int, int, int, int]

    def of(self, width: int, height: int) -> Box:
        """The box in shares of a picture. Raises ValueError where it does not lie in it."""
        left, top, right, bottom = self.edges
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise ValueError(f"the box {self.edges} of photo {self.row} is not within {width} × {height}")
        return Box(left / width, top / height, right / width, bottom / height)


def read_boxes(path: Path = BOXES) -> list[DrawnBox]:
    """The boxes, in the order of the file."""
    with path.open(newline="") as file:
        return [
            DrawnBox(int(line["row"]), line["digest"], tuple(int(line[edge]) for edge in _EDGES))  # type: ignore[arg-type]
            for line in csv.DictReader(file)
        ]


def photos_of(drawn: list[DrawnBox], contents: pl.Series) -> list[Image.Image]:
    """The RGB photos of boxes. Raises ValueError where a photo is another than the box was drawn in."""
    pictures = []
    for box in drawn:
        content = contents[box.row]
        if hashlib.blake2b(content, digest_size=_DIGEST).hexdigest() != box.digest:
            raise ValueError(f"photo {box.row} is not the one whose box was drawn")
        pictures.append(Image.open(io.BytesIO(content)).convert("RGB"))
    return pictures


def found_box(finder: Finder, picture: Image.Image) -> Box:
    """The surest box of a picture; all of it where there is none."""
    found = finder(picture)
    return Box(*map(float, found.edges[0])) if len(found) else WHOLE


def _text(found: NDArray[np.bool_], base: NDArray[np.bool_], products: NDArray[np.int32]) -> str:
    low, high = grouped_interval(found.astype(float), products, np.random.default_rng(0))
    change = found.astype(float) - base
    less, more = grouped_interval(change, products, np.random.default_rng(0))
    return f"R@1 {found.mean():.3f} [{low:.3f}, {high:.3f}], {change.mean():+.3f} [{less:+.3f}, {more:+.3f}]"


def main() -> None:
    """Prints a row per box and space."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=600, help="by which layers learn to find things")
    parser.add_argument("--pictures", type=int, default=300, help="of Myntra's training range in them")
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    given = parser.parse_args()
    groceries, fashion = SHARED / "grocery_photos", SHARED / "myntra_fashion"
    for folder in (groceries, fashion):
        if not folder.is_dir():
            print(f"skipped: there is no {folder}")
            return
    encoder = InProcessEncoder(given.cache)
    table = pl.read_parquet(groceries / "photos.parquet")
    drawn = read_boxes()
    photos = photos_of(drawn, table["jpeg"])
    products = table["class_id"].to_numpy()[[each.row for each in drawn]].astype(np.int32)
    pictures = (
        pl.read_parquet(fashion / "items.parquet")
        .join(pl.read_parquet(fashion / "images.parquet"), on="id")
        .filter(pl.col("split") == "train")
        .sample(given.pictures, seed=1)["jpeg"]
    )
    head = fit_object_head(
        [Image.open(io.BytesIO(each)).convert("RGB") for each in pictures],
        encoder.maps,
        SIDE,
        given.scenes,
        16,
        1,
        lambda done, of: None,
    )
    if head is None:
        raise SystemExit("too few pictures or scenes")
    by_hand = [each.of(*photo.size) for each, photo in zip(drawn, photos, strict=True)]
    boxes = {"the whole photo": [WHOLE] * len(photos)}
    for name, finder in (
        ("trained layers", trained_finder(head, encoder)),
        ("what stands out", salient_boxes),
    ):
        boxes[name] = [found_box(finder, photo) for photo in photos]
    boxes["drawn by hand"] = by_hand
    asked = {}
    for name, parts in boxes.items():
        cut = [photo.crop(box.of(*photo.size)) for photo, box in zip(photos, parts, strict=True)]
        asked[name] = Pictures(products, encoder.features(cut), np.stack([small_copy(each) for each in cut]))
        edges, truth = (
            np.array([(b.left, b.top, b.right, b.bottom) for b in side], np.float32)
            for side in (parts, by_hand)
        )
        shared = np.diagonal(overlaps(edges, truth))
        area = (edges[:, 2:] - edges[:, :2]).prod(axis=1).mean()
        print(
            f"{name:16} overlap with the box drawn {shared.mean():.3f}, "
            f"above .5 {(shared > _GOOD).mean():.3f}, area {area:.2f}",
            flush=True,
        )
    shown = pl.read_parquet(groceries / "catalogue.parquet")
    taught = table.filter(pl.col("split") == "train")
    _search(asked, *(pictures_of(part, encoder) for part in (shown, taught)))


def _search(asked: dict[str, Pictures], catalogue: Pictures, known: Pictures) -> None:
    """Prints what is found by each part of the photos, the first of which is all of them."""
    weight, dimensions = SERVED.weight, SERVED.dimensions
    shown, taught = catalogue.labelled(weight), known.labelled(weight)
    spaces = {
        "as they are": (
            0.0,
            PictureSpace(np.zeros(FEATURES, np.float32), np.eye(FEATURES, dtype=np.float32)),
        ),
        "served, of a catalogue": (weight, fit_space(shown.features, dimensions, 1)),
        "served, trained by photos": (weight, fit_by_photos(shown, taught, dimensions, seed=1).space),
    }
    for space_name, (colours, space) in spaces.items():
        base = None
        for name, pictures in asked.items():
            found = hits(space, catalogue.labelled(colours), pictures.labelled(colours))
            base = found[:, 0] if base is None else base
            print(
                f"{space_name:25} {name:16} {_text(found[:, 0], base, pictures.products)}, "
                f"R@5 {found[:, 1].mean():.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
