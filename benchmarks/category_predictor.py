"""The small network that names categories, trained on public pictures, as float32 and int8.

    python -m benchmarks.category_predictor --folder FOLDER [--data groceries] [--passes 9] [--lite0 4000]
        [--learned 3000]
    python -m benchmarks.category_predictor --folder OTHER --network lite0 --passes 3

Sub-categories and article types of `shared/data/myntra_fashion`, or coarse classes and products of
`shared/data/grocery_photos`, by their given splits. Of the groceries, which have two ranges, every tenth
photo to learn from chooses instead. FOLDER keeps the network, and a second run measures it anew. The
temperature and the probability below which a picture is of nothing known are chosen on the validation range;
figures are of the test range and, for what is nothing known, of the other data set. Accuracies have the 95 %
interval of the normal approximation. `--lite0 N`: the layer over lite0's features that a build fits, on N
training pictures. `--learned N`: so many of the training range, spread over it. `--network lite0`: all of
EfficientNet-lite0, fine-tuned in its place by the same recipe.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import polars as pl
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.lite0_network import WHOLE
from benchmarks.public_data import SHARED
from exporters.category_export import INPUT, write_float32, write_int8
from models.category_network import SIDES, SMALL, CategoryNetwork, Form
from models.category_training import LabelledPictures, train_network, usual_passes
from models.picture_network import PictureNetwork, load_pretrained
from recall.category_head import softmax
from vision.fit_category_head import calibration_error, fit_category_head, fit_temperature
from vision.fit_space import fit_space

_LET_THROUGH, _TIMED, _PART, _STRANGE, _EXAMPLES = 0.95, 200, 64, 500, 256
_CONFUSIONS = 12
_LEVELS = ("category", "finer")
_FORMS = {"small": SMALL, "lite0": WHOLE}


@dataclass(frozen=True)
class Pictures:
    """A data set.

    Attributes:
        files: of each of the ranges train, val and test, and `strange`, of nothing known.
        names: of each level's classes, those that the training range has.
        classes: int64[n] by level and range; −1 = a class that training does not have, which no answer is.
        sides: at which pictures to learn from are kept.
    """

    files: dict[str, pl.Series]
    names: dict[str, list[str]]
    classes: dict[str, dict[str, NDArray[np.int64]]]
    sides: tuple[int, int]


def read(data: str) -> Pictures:
    """`myntra` or `groceries`."""
    myntra, groceries = SHARED / "myntra_fashion", SHARED / "grocery_photos"
    photos = pl.read_parquet(groceries / "photos.parquet")
    images = pl.read_parquet(myntra / "images.parquet")
    if data == "myntra":
        table = pl.read_parquet(myntra / "items.parquet").join(images, on="id")
        columns, strange, sides = ("subCategory", "articleType"), photos["jpeg"], (80, 60)
    else:
        row = pl.int_range(pl.len())
        table = photos.with_columns(
            pl.when(pl.col("split") == "val")
            .then(pl.lit("test"))
            .when(row % 10 == 0)
            .then(pl.lit("val"))
            .otherwise(pl.lit("train"))
            .alias("split")
        )
        columns, strange, sides = ("coarse_id", "class_id"), images["jpeg"], SIDES
    parts = {part: table.filter(pl.col("split") == part) for part in ("train", "val", "test")}
    names = {
        level: sorted(parts["train"][column].cast(pl.String).unique().to_list())
        for level, column in zip(_LEVELS, columns, strict=True)
    }
    classes = {}
    for level, column in zip(_LEVELS, columns, strict=True):
        code = {name: position for position, name in enumerate(names[level])}
        classes[level] = {
            part: np.array([code.get(each, -1) for each in rows[column].cast(pl.String)], np.int64)
            for part, rows in parts.items()
        }
    files = {part: rows["jpeg"] for part, rows in parts.items()} | {"strange": strange.head(_STRANGE)}
    return Pictures(files, names, classes, sides)


def pictures_of(contents: pl.Series, sides: tuple[int, int] = SIDES) -> NDArray[np.uint8]:
    """uint8[n, *sides, 3] of JPEG files."""
    made = np.empty((len(contents), *sides, 3), np.uint8)
    for row, content in enumerate(contents):
        image = Image.open(io.BytesIO(content)).convert("RGB")
        made[row] = np.asarray(image.resize(sides[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0))
    return made


class Graph:
    """A network in ONNX Runtime on one thread."""

    def __init__(self, path: Path) -> None:
        """Loads it."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def logits(self, contents: pl.Series) -> dict[str, NDArray[np.float32]]:
        """float32[n, C] of files, by level."""
        parts = [
            self._session.run(None, {INPUT: pictures_of(contents[first : first + _PART])})
            for first in range(0, len(contents), _PART)
        ]
        return {
            level: np.concatenate(found)
            for level, found in zip(_LEVELS, zip(*parts, strict=True), strict=True)
        }

    def milliseconds(self, picture: NDArray[np.uint8]) -> float:
        """Median CPU time of one picture."""
        took = []
        for _ in range(_TIMED):
            began = time.process_time()
            self._session.run(None, {INPUT: picture[None]})
            took.append(time.process_time() - began)
        return float(np.median(took) * 1_000)


def main() -> None:
    """Prints one row per network and level."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="keeps networks")
    parser.add_argument("--data", choices=("myntra", "groceries"), default="myntra")
    parser.add_argument("--passes", type=int, default=0, help="0: as a shop's network")
    parser.add_argument("--lite0", type=int, default=0)
    parser.add_argument("--network", choices=_FORMS, default="small")
    parser.add_argument("--learned", type=int, default=0, help="0: all of the training range")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    pictures = read(given.data)
    ranges = ", ".join(f"{part} {len(rows):,}" for part, rows in pictures.files.items())
    print(
        f"{' and '.join(str(len(names)) for names in pictures.names.values())} classes; {ranges}", flush=True
    )
    network = _network(
        pictures, given.folder / "network.pt", given.passes, _FORMS[given.network], given.learned
    )
    plain, small = given.folder / "float32.onnx", given.folder / "int8.onnx"
    write_float32(network, plain, {level: (len(pictures.names[level]),) for level in _LEVELS})
    learned = pictures.files["train"]
    examples = learned.gather_every(max(1, len(learned) // _EXAMPLES))
    write_int8(plain, small, pictures_of(examples), network.early_convolutions)
    for path in (plain, small):
        _measure(pictures, path)
    if given.lite0:
        _lite0(given.lite0, pictures, given.folder)


def spread_rows(count: int, wanted: int) -> NDArray[np.int64]:
    """int64[m], rows of a range that is in no order of chance; 0 = all of them."""
    return np.linspace(0, count - 1, min(wanted or count, count)).astype(np.int64)


def _network(pictures: Pictures, path: Path, passes: int, form: Form, wanted: int) -> CategoryNetwork:
    """The one that the folder keeps, or else a trained one."""
    encoder = PictureNetwork()
    load_pretrained(encoder)
    counts = tuple(len(names) for names in pictures.names.values())
    if path.exists():
        network = CategoryNetwork(counts, encoder, torch.zeros((2, *SIDES, 3)), form)
        network.load_state_dict(torch.load(path, weights_only=True))
        return network.eval()
    rows = spread_rows(len(pictures.files["train"]), wanted)
    training = LabelledPictures(
        pictures_of(pictures.files["train"][rows], pictures.sides),
        tuple(pictures.classes[level]["train"][rows] for level in _LEVELS),
        np.arange(len(rows)),
    )
    began = time.process_time()

    def told(done: int, loss: float) -> None:
        print(f"  {time.process_time() - began:6,.0f} s of CPU, {done}: {loss:.3f}", flush=True)

    passes = passes or usual_passes(len(training.rows))
    network = train_network(training, counts, encoder, passes, 1, told, form)
    torch.save(network.state_dict(), path)
    return network


def _measure(pictures: Pictures, path: Path) -> None:
    graph = Graph(path)
    took = graph.milliseconds(pictures_of(pictures.files["test"][:1])[0])
    found = {part: graph.logits(pictures.files[part]) for part in ("val", "test", "strange")}
    seen = pictures.files["train"][: len(pictures.files["val"])]
    right = (
        graph.logits(seen)["category"].argmax(axis=1) == pictures.classes["category"]["train"][: len(seen)]
    )
    print(
        f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {took:.2f} ms of CPU a picture; top-1 "
        f"{right.mean():.4f} of {len(seen):,} pictures of the training range"
    )
    for level in _LEVELS:
        print(f"  {_row({part: each[level] for part, each in found.items()}, pictures.classes[level])}")
    classes, names = pictures.classes["category"]["val"], pictures.names["category"]
    named = found["val"]["category"].argmax(axis=1)
    wrong = Counter(
        f"{names[truth] if truth >= 0 else 'unseen'} → {names[answer]}"
        for truth, answer in zip(classes.tolist(), named.tolist(), strict=True)
        if truth != answer
    )
    commonest = ", ".join(f"{pair} {count}" for pair, count in wrong.most_common(_CONFUSIONS))
    print(f"  of {wrong.total()} mistakes of the validation range: {commonest}", flush=True)


def _row(logits: dict[str, NDArray[np.float32]], classes: dict[str, NDArray[np.int64]]) -> str:
    """Accuracy, calibration and what is told to be unknown, of one level."""
    known = classes["val"] >= 0
    temperature = fit_temperature(logits["val"][known], classes["val"][known])
    calibrated = {part: softmax(values, temperature) for part, values in logits.items()}
    threshold = float(np.quantile(calibrated["val"].max(axis=1), 1 - _LET_THROUGH))
    top = {part: float((logits[part].argmax(axis=1) == classes[part]).mean()) for part in ("val", "test")}
    off = 1.96 * np.sqrt(top["test"] * (1 - top["test"]) / len(classes["test"]))
    five = np.argsort(-logits["test"], axis=1)[:, :5]
    return (
        f"{logits['test'].shape[1]} classes: top-1 {top['test']:.4f} ± {off:.4f} (validation "
        f"{top['val']:.4f}), top-5 {(five == classes['test'][:, None]).any(axis=1).mean():.4f}; calibration "
        f"error {calibration_error(softmax(logits['test'], 1.0), classes['test']):.3f} → "
        f"{calibration_error(calibrated['test'], classes['test']):.3f} (temperature {temperature:.2f}); "
        f"called unknown below {threshold:.2f}: {(calibrated['test'].max(axis=1) < threshold).mean():.3f} of "
        f"the test range, {(calibrated['strange'].max(axis=1) < threshold).mean():.3f} of strange pictures"
    )


def _lite0(count: int, pictures: Pictures, folder: Path) -> None:
    from benchmarks.picture_features import InProcessEncoder

    encoder = InProcessEncoder(folder / "features")
    files, classes = pictures.files, pictures.classes["category"]
    rows = spread_rows(len(files["train"]), count)
    asked_files = {"train": files["train"][rows], "test": files["test"], "strange": files["strange"]}
    features = {
        part: encoder.features([Image.open(io.BytesIO(each)).convert("RGB") for each in contents])
        for part, contents in asked_files.items()
    }
    space = fit_space(features["train"], 256, 1)
    vectors = {part: space.project(values) for part, values in features.items()}
    items = np.arange(1, len(features["train"]) + 1, dtype=np.int32)
    categories = np.concatenate(([0], classes["train"][rows] + 1)).astype(np.int32)
    head = fit_category_head(items, features["train"], vectors["train"], categories, 1)
    if head is None:
        raise SystemExit("too few pictures")
    asked = {}
    for part in ("test", "strange"):
        found = head.probabilities(features[part])
        likeness = (vectors[part] @ vectors["train"].T).max(axis=1)
        pairs = zip(found.max(axis=1).tolist(), likeness.tolist(), strict=True)
        asked[part] = found, np.array([head.is_known(*pair) for pair in pairs])
    found, known = asked["test"]
    named = head.codes[found.argmax(axis=1)] - 1
    column = {int(category) - 1: position for position, category in enumerate(head.codes)}
    truth = np.array([column.get(int(each), -1) for each in classes["test"]])
    print(
        f"lite0 at 224, one layer: top-1 {(named == classes['test']).mean():.4f} by {len(rows):,} pictures; "
        f"calibration error {calibration_error(found, truth):.3f}; called unknown: {1 - known.mean():.3f} of "
        f"the test range, {1 - asked['strange'][1].mean():.3f} of strange pictures"
    )


if __name__ == "__main__":
    main()
