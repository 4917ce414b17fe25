"""Global features, local ones and baselines: photos of products searched for among catalogue pictures.

    python -m benchmarks.local_features [--photos 296] [--cache FOLDER] [--without-networks]

`shared/data/grocery_photos`: for each photo of the validation range, the place of its product's catalogue
picture among 81. Keypoints are SIFT's (Lowe, IJCV 2004) and KAZE's (Alcantarilla et al., ECCV 2012), at
most 400 of a picture, joined by VLAD (Jégou et al., CVPR 2010: residuals to 32 centres, their signed roots,
per centre and in all of length 1) whose centres photos of the training range teach; HoG and histograms of
colours are the baselines. NetVLAD is trained by the training photos but those that choose weights, with the
trunk's block before it and without, and so are the spaces of the encoder's features beside it: of features
alone, and the one that is served, of 512 dimensions with colours. `--without-networks`: no NetVLAD. `PQ`: the
catalogue's vectors by product quantisation of 16 × 6 bits (faiss), where it has enough pictures to learn
from: by those of the training photos. Coarse to fine: the ten best of the encoder and its spaces, ordered
again by the sum of both cosines, weighted as is best on photos of the training range; with the category, a
soft gate adds the logarithm of the probability of the product's coarse class, by a layer taught by the
training range's features, weighted likewise.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import faiss
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from benchmarks.net_vlad import FittedNetVlad, maps_of
from benchmarks.picture_features import InProcessEncoder
from benchmarks.public_data import SHARED
from models.picture_encoder import FEATURES
from recall.category_head import softmax
from recall.picture_space import PictureSpace
from vision.colours import COLOURS
from vision.fit_by_photos import Labelled, fit_by_photos
from vision.fit_category_head import fit_layer
from vision.look import make_looks
from vision.same_picture import small_copy
from vision.settings import PictureSettings

_CV2: Any = cv2
_FAISS: Any = faiss
"""Their stubs lack what is used of them here."""
Vectors = NDArray[np.float32]
_KEYPOINTS, _CENTRES, _SIDE = 400, 32, 224
_PQ_PARTS, _PQ_BITS, _BEST = 16, 6, 10
_TRAINED, _TRAINED_DIMENSIONS = "encoder, trained", 256
_SERVED = "served space"
_STEPS_BEHIND, _STEPS_THROUGH = 200, 40
"""Of NetVLAD behind the block, and through it, which takes ten times as long."""
_WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def unit(vectors: Vectors) -> Vectors:
    """Each row of float32[n, D] of length 1; zeros stay."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def descriptors(detector: Any, pictures: list[Image.Image]) -> list[Vectors]:
    """Of each picture, float32[k, d] of at most 400 keypoints, the strongest; k is 0 of a blank one."""
    found = []
    width = detector.descriptorSize()
    for picture in pictures:
        grey = np.asarray(picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC))
        points = sorted(detector.detect(grey, None), key=lambda each: -each.response)[:_KEYPOINTS]
        _, made = detector.compute(grey, points) if points else (None, None)
        found.append(np.zeros((0, width), np.float32) if made is None else np.asarray(made, np.float32))
    return found


def vlad(parts: list[Vectors], centres: Vectors) -> Vectors:
    """float32[n, 32 · d] of the descriptors of n pictures; zeros of one without keypoints."""
    index = faiss.IndexFlatL2(centres.shape[1])
    index.add(centres)
    made = np.zeros((len(parts), *centres.shape), np.float32)
    for row, part in enumerate(parts):
        if len(part):
            nearest = index.search(part, 1)[1][:, 0]
            np.add.at(made[row], nearest, part - centres[nearest])
    rooted = np.sign(made) * np.sqrt(np.abs(made))
    rooted /= np.maximum(np.linalg.norm(rooted, axis=2, keepdims=True), 1e-9)
    return unit(rooted.reshape(len(parts), -1))


def gradients(pictures: list[Image.Image]) -> Vectors:
    """Histograms of oriented gradients (Dalal & Triggs, CVPR 2005) of 64 × 64 pixels."""
    hog = _CV2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)
    return unit(
        np.stack([hog.compute(np.asarray(each.convert("L").resize((64, 64)))).ravel() for each in pictures])
    )


def colours(pictures: list[Image.Image]) -> Vectors:
    """Histograms of 8 hues, 4 saturations and 4 values, their roots (Hellinger's distance)."""
    rows = []
    for picture in pictures:
        values = cv2.cvtColor(np.asarray(picture.resize((64, 64))), cv2.COLOR_RGB2HSV)
        counts = cv2.calcHist([values], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256])
        rows.append(np.sqrt(counts.ravel()))
    return unit(np.stack(rows))


def recall(similarity: Vectors, classes: NDArray[np.int64], truth: NDArray[np.int64]) -> tuple[float, float]:
    """R@1 and R@5 of float32[n, m] over the classes of m catalogue pictures."""
    order = classes[np.argsort(-similarity, axis=1, kind="stable")]
    hits = order == truth[:, None]
    return float(hits[:, 0].mean()), float(hits[:, :5].any(axis=1).mean())


def refined(coarse: Vectors, fine: Vectors, weight: float) -> Vectors:
    """`coarse`, its ten best ordered by the sum with `weight` · `fine`, the others behind."""
    best = np.argpartition(-coarse, _BEST, axis=1)[:, :_BEST]
    made = coarse - 4
    sums = np.take_along_axis(coarse, best, 1) + weight * np.take_along_axis(fine, best, 1)
    np.put_along_axis(made, best, sums, axis=1)
    return made


def quantised(catalogue: Vectors, taught: Vectors, asked: Vectors) -> Vectors:
    """Inner products with the catalogue's vectors as 12 bytes say them."""
    pad = -catalogue.shape[1] % _PQ_PARTS
    parts = [np.pad(each, ((0, 0), (0, pad))) for each in (catalogue, taught, asked)]
    code = _FAISS.ProductQuantizer(parts[0].shape[1], _PQ_PARTS, _PQ_BITS)
    code.cp.min_points_per_centroid = 1
    code.train(np.ascontiguousarray(np.concatenate(parts[:2])))
    return np.asarray(parts[2] @ code.decode(code.compute_codes(np.ascontiguousarray(parts[0]))).T)


class Form:
    """Vectors of the catalogue, and of photos of the training and of the validation range."""

    def __init__(
        self, name: str, make: Callable[[list[Image.Image]], Vectors], sets: list[list[Image.Image]]
    ):
        """Makes them, and takes the time."""
        self.name = name
        began = time.process_time()
        self.catalogue, self.taught, self.asked = (make(pictures) for pictures in sets)
        self.ms = (time.process_time() - began) * 1_000 / sum(map(len, sets))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=296, help="of either range")
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    parser.add_argument("--without-networks", action="store_true", help="train no NetVLAD")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    folder = SHARED / "grocery_photos"
    shown = pl.read_parquet(folder / "catalogue.parquet")
    photos = pl.read_parquet(folder / "photos.parquet")
    training = photos.filter(pl.col("split") == "train").with_row_index("row")
    chosen_by = training.sample(given.photos, seed=1)
    tables = [shown, chosen_by, photos.filter(pl.col("split") != "train").sample(given.photos, seed=1)]
    sets = [_opened(table) for table in tables]
    classes, known, truth = (table["class_id"].to_numpy() for table in tables)
    encoder = InProcessEncoder(given.cache)
    forms = [Form("encoder (lite0, 1,280)", encoder.features, sets)]
    for name, detector in (("SIFT", _CV2.SIFT_create()), ("KAZE", _CV2.KAZE_create(extended=False))):
        sample = np.concatenate(descriptors(detector, sets[1][::3]))
        kmeans = faiss.Kmeans(sample.shape[1], _CENTRES, niter=15, seed=1)
        kmeans.train(sample)

        def make(pictures: list[Image.Image], detector: Any = detector, kmeans: Any = kmeans) -> Vectors:
            return vlad(descriptors(detector, pictures), kmeans.centroids)

        forms.append(Form(f"{name} → VLAD", make, sets))
    forms += [Form("HoG", gradients, sets), Form("colours", colours, sets)]
    # Trained forms do not learn from the photos by which weights are chosen.
    others = training.filter(~pl.col("row").is_in(chosen_by["row"].to_list()))
    forms += [
        Form(name, make, sets)
        for name, make in trained_forms(encoder, sets[0], classes, others, not given.without_networks).items()
    ]
    for form in forms:
        exact = recall(form.asked @ form.catalogue.T, classes, truth)
        codes = recall(quantised(form.catalogue, form.taught, form.asked), classes, truth)
        print(
            f"{form.name:24} {form.asked.shape[1]:5} dimensions  R@1 {exact[0]:.3f}  R@5 {exact[1]:.3f}  "
            f"PQ 12 bytes R@1 {codes[0]:.3f}  R@5 {codes[1]:.3f}  {form.ms:.0f} ms of CPU a picture",
            flush=True,
        )
    plain, spaces = forms[0], [form for form in forms if form.name in (_TRAINED, _SERVED)]
    for coarse, fine in itertools.product((plain, *spaces), forms[1:]):
        if coarse is fine:
            continue
        both = [
            (side @ coarse.catalogue.T, other @ fine.catalogue.T)
            for side, other in ((coarse.taught, fine.taught), (coarse.asked, fine.asked))
        ]
        weight = max(_WEIGHTS, key=lambda each: recall(refined(*both[0], each), classes, known)[0])
        found = recall(refined(*both[1], weight), classes, truth)
        print(
            f"{coarse.name}, then {fine.name:22} weight {weight:4}  R@1 {found[0]:.3f}  R@5 {found[1]:.3f}",
            flush=True,
        )
    for form in (plain, *spaces):
        _gated(form, plain, tables, classes, known, truth)


def trained_forms(
    encoder: InProcessEncoder,
    catalogue: list[Image.Image],
    classes: NDArray[np.int64],
    photos: pl.DataFrame,
    networks: bool,
) -> dict[str, Callable[[list[Image.Image]], Vectors]]:
    """Spaces trained by photos, and both forms of NetVLAD if they are wanted, by name."""
    pictures, products = _opened(photos), photos["class_id"].to_numpy()
    shown_looks, known_looks = (looks_of(each, encoder) for each in (catalogue, pictures))
    made: dict[str, Callable[[list[Image.Image]], Vectors]] = {}
    for name, dimensions, width in (
        (_TRAINED, _TRAINED_DIMENSIONS, FEATURES),
        (_SERVED, PictureSettings().dimensions, None),
    ):
        space = fit_by_photos(
            Labelled(classes.astype(np.int32), shown_looks[:, :width]),
            Labelled(products.astype(np.int32), known_looks[:, :width]),
            dimensions,
            1,
        ).space

        def project(
            asked: list[Image.Image], space: PictureSpace = space, width: int | None = width
        ) -> Vectors:
            return space.project(looks_of(asked, encoder)[:, :width])

        made[name] = project
    if not networks:
        return made
    network = encoder.network
    shown, known = maps_of(network, catalogue, classes), maps_of(network, pictures, products)
    return made | {
        "NetVLAD, block fixed": FittedNetVlad(network, shown, known, 1, _STEPS_BEHIND, fixed=True),
        "NetVLAD, end to end": FittedNetVlad(network, shown, known, 1, _STEPS_THROUGH),
    }


def looks_of(pictures: list[Image.Image], encoder: InProcessEncoder) -> Vectors:
    """float32[n, 1280 + 128], features and weighted colours, as the served space is fitted to them."""
    copies = np.stack([small_copy(each) for each in pictures])
    return make_looks(encoder.features(pictures), copies, COLOURS, PictureSettings().colour_weight)


def _opened(table: pl.DataFrame) -> list[Image.Image]:
    return [Image.open(io.BytesIO(each)).convert("RGB") for each in table["jpeg"]]


def _gated(
    form: Form,
    plain: Form,
    tables: list[pl.DataFrame],
    classes: NDArray[np.int64],
    known: NDArray[np.int64],
    truth: NDArray[np.int64],
) -> None:
    """The coarse class as a soft and as a hard gate of a form.

    A layer over the encoder's features, `plain`, learns it from half of the training photos; the other half
    chooses the weight.
    """
    coarse = [table["coarse_id"].to_numpy() for table in tables]
    half = len(known) // 2
    codes, labels = np.unique(np.concatenate((coarse[0], coarse[1][:half])), return_inverse=True)
    weights, bias = fit_layer(np.concatenate((plain.catalogue, plain.taught[:half])), labels, len(codes), 1)
    column = np.searchsorted(codes, coarse[0])

    def log_odds(vectors: Vectors) -> Vectors:
        return np.asarray(np.log(softmax(vectors @ weights + bias, 1.0)[:, column] + 1e-6), np.float32)

    chosen, asked = (
        (vectors @ form.catalogue.T, log_odds(features))
        for vectors, features in ((form.taught[half:], plain.taught[half:]), (form.asked, plain.asked))
    )
    weight = max(_WEIGHTS, key=lambda each: recall(chosen[0] + each * chosen[1], classes, known[half:])[0])
    found = recall(asked[0] + weight * asked[1], classes, truth)
    hard = asked[1] >= asked[1].max(axis=1, keepdims=True) - 1e-6
    gated = recall(np.where(hard, asked[0], asked[0] - 4), classes, truth)
    print(f"{form.name}, soft gate of the class, weight {weight}:  R@1 {found[0]:.3f}  R@5 {found[1]:.3f}")
    print(f"{form.name}, hard gate of the class:  R@1 {gated[0]:.3f}  R@5 {gated[1]:.3f}")


if __name__ == "__main__":
    main()
