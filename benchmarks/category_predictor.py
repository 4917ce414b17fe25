"""The small network that names categories, on Myntra's sub-categories, beside EfficientNet-lite0's features.

    python -m benchmarks.category_predictor --folder FOLDER [--passes 20] [--lite0 4000]

The trunk's maps of the pictures are written into FOLDER once; the head learns from those of the given
training range of `shared/data/myntra_fashion`. The temperature and the probability below which a picture is
of nothing known are chosen on the validation range; figures are of the test range and, for what is nothing
known, of `shared/data/grocery_photos`. Both graphs, float32 and int8, are measured. `--lite0 N`: the layer
over lite0's features that a build fits, on the first N training pictures.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import polars as pl
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.public_data import SHARED
from exporters.category_export import INPUT, write_float32, write_int8
from models.category_network import SIDES, CategoryNetwork, Trunk
from models.category_training import LabelledMaps, train_head
from models.picture_network import PictureNetwork, load_pretrained
from recall.category_head import softmax
from vision.fit_category_head import calibration_error, fit_category_head, fit_temperature
from vision.fit_space import fit_space

_LET_THROUGH, _TIMED, _PART, _STRANGE = 0.95, 200, 64, 500
_SHAPES = {"fine": (112, 8, 6), "coarse": (192, 4, 3)}
_RANGES = ("train", "val", "test")


def pictures_of(contents: pl.Series) -> NDArray[np.uint8]:
    """uint8[n, 128, 96, 3] of JPEG files."""
    made = np.empty((len(contents), *SIDES, 3), np.uint8)
    for row, content in enumerate(contents):
        image = Image.open(io.BytesIO(content)).convert("RGB")
        made[row] = np.asarray(image.resize(SIDES[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0))
    return made


class Graph:
    """A network in ONNX Runtime on one thread."""

    def __init__(self, path: Path) -> None:
        """Loads it."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The outputs of a few pictures."""
        outputs: list[NDArray[np.float32]] = self._session.run(None, {INPUT: pictures})
        return outputs

    def logits(self, contents: pl.Series) -> NDArray[np.float32]:
        """float32[n, C] of files."""
        starts = range(0, len(contents), _PART)
        return np.concatenate([self.run(pictures_of(contents[first : first + _PART]))[0] for first in starts])

    def milliseconds(self, picture: NDArray[np.uint8]) -> float:
        """Median of one picture."""
        took = []
        for _ in range(_TIMED):
            began = time.perf_counter()
            self.run(picture[None])
            took.append(time.perf_counter() - began)
        return float(np.median(took) * 1_000)


def maps_of(folder: Path, name: str, contents: pl.Series, trunk: Graph, mirrored: bool) -> LabelledMaps:
    """The trunk's maps of files, kept in `folder`; without classes."""
    paths = {kind: folder / f"{name}{int(mirrored)}_{kind}.npy" for kind in _SHAPES}
    if not all(path.exists() for path in paths.values()):
        made = {
            kind: np.lib.format.open_memmap(
                path.with_suffix(".part"), "w+", np.float16, (len(contents), *_SHAPES[kind])
            )
            for kind, path in paths.items()
        }
        for first in range(0, len(contents), _PART):
            pictures = pictures_of(contents[first : first + _PART])
            if mirrored:
                pictures = np.ascontiguousarray(pictures[:, :, ::-1])
            for kind, values in zip(made, trunk.run(pictures), strict=True):
                made[kind][first : first + _PART] = values
        for kind, path in paths.items():
            made[kind].flush()
            path.with_suffix(".part").replace(path)
    fine, coarse = (np.load(path, mmap_mode="r", allow_pickle=False) for path in paths.values())
    return LabelledMaps(fine, coarse, np.empty(0, np.int64))


def row(
    name: str,
    size: str,
    logits: dict[str, NDArray[np.float32]],
    classes: dict[str, NDArray[np.int64]],
) -> str:
    """Accuracy, calibration and what is told to be unknown, of one network."""
    known = classes["val"] >= 0
    temperature = fit_temperature(logits["val"][known], classes["val"][known])
    calibrated = {part: softmax(values, temperature) for part, values in logits.items()}
    threshold = float(np.quantile(calibrated["val"].max(axis=1), 1 - _LET_THROUGH))
    top = {part: float((logits[part].argmax(axis=1) == classes[part]).mean()) for part in ("val", "test")}
    five = np.argsort(-logits["test"], axis=1)[:, :5]
    return (
        f"{name:24} top-1 {top['test']:.4f} (validation {top['val']:.4f}), "
        f"top-5 {(five == classes['test'][:, None]).any(axis=1).mean():.4f}, {size}; calibration error "
        f"{calibration_error(softmax(logits['test'], 1.0), classes['test']):.3f} → "
        f"{calibration_error(calibrated['test'], classes['test']):.3f} (temperature {temperature:.2f}); "
        f"called unknown below {threshold:.2f}: {(calibrated['test'].max(axis=1) < threshold).mean():.3f} of "
        f"the test range, {(calibrated['strange'].max(axis=1) < threshold).mean():.3f} of the grocery photos"
    )


def main() -> None:
    """Prints one row per network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="keeps maps and networks")
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--label", default="subCategory")
    parser.add_argument("--mirrored", action="store_true", help="learn from mirror images too")
    parser.add_argument("--lite0", type=int, default=0)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    source = SHARED / "myntra_fashion"
    table = pl.read_parquet(source / "items.parquet").join(
        pl.read_parquet(source / "images.parquet"), on="id"
    )
    parts = {split: table.filter(pl.col("split") == split) for split in _RANGES}
    names = sorted(parts["train"][given.label].unique().to_list())
    code = {name: position for position, name in enumerate(names)}
    # A class that the training range lacks is −1, which no answer is.
    classes = {
        split: np.array([code.get(each, -1) for each in rows[given.label]], np.int64)
        for split, rows in parts.items()
    }
    files = {split: rows["jpeg"] for split, rows in parts.items()}
    files["strange"] = pl.read_parquet(SHARED / "grocery_photos" / "photos.parquet")["jpeg"].head(_STRANGE)
    print(f"{len(names)} classes; {', '.join(f'{k} {len(v):,}' for k, v in classes.items())}", flush=True)
    _small(given, files, classes, len(names))
    if given.lite0:
        _lite0(given.lite0, files, classes, given.folder)


def _small(
    given: argparse.Namespace, files: dict[str, pl.Series], classes: dict[str, NDArray[np.int64]], count: int
) -> None:
    encoder = PictureNetwork()
    load_pretrained(encoder)
    network = CategoryNetwork(count)
    network.trunk = Trunk(encoder)
    write_float32(network.trunk, given.folder / "trunk.onnx", _SHAPES)
    trunk = Graph(given.folder / "trunk.onnx")
    sides = (False, True) if given.mirrored else (False,)
    views = [maps_of(given.folder, "train", files["train"], trunk, side) for side in sides]
    training = LabelledMaps(
        np.concatenate([view.fine for view in views]),
        np.concatenate([view.coarse for view in views]),
        np.tile(classes["train"], len(views)),
    )
    began = time.monotonic()
    network.head = train_head(
        training,
        count,
        given.passes,
        1,
        lambda done, loss: print(f"  {time.monotonic() - began:6,.0f} s, {done}: {loss:.3f}", flush=True),
    )
    plain, small = given.folder / "float32.onnx", given.folder / "int8.onnx"
    write_float32(network, plain, {"logits": (count,)})
    write_int8(plain, small, pictures_of(files["train"][:: max(1, len(files["train"]) // 256)]))
    for path in (plain, small):
        graph = Graph(path)
        logits = {part: graph.logits(files[part]) for part in ("val", "test", "strange")}
        time_ms = graph.milliseconds(pictures_of(files["test"][:1])[0])
        size = f"{path.stat().st_size / 1e6:.2f} MB, {time_ms:.2f} ms"
        print(row(f"small, {path.stem}", size, logits, classes), flush=True)


def _lite0(
    count: int, files: dict[str, pl.Series], classes: dict[str, NDArray[np.int64]], folder: Path
) -> None:
    from benchmarks.picture_features import InProcessEncoder

    encoder = InProcessEncoder(folder / "features")
    features = {
        part: encoder.features([Image.open(io.BytesIO(each)).convert("RGB") for each in contents])
        for part, contents in (files | {"train": files["train"][:count]}).items()
    }
    space = fit_space(features["train"], 256, 1)
    vectors = {part: space.project(values) for part, values in features.items()}
    items = np.arange(1, count + 1, dtype=np.int32)
    categories = np.concatenate(([0], classes["train"][:count] + 1)).astype(np.int32)
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
        f"lite0 at 224, one layer    top-1 {(named == classes['test']).mean():.4f} by {count:,} pictures; "
        f"calibration error {calibration_error(found, truth):.3f}; called unknown: {1 - known.mean():.3f} of "
        f"the test range, {1 - asked['strange'][1].mean():.3f} of the grocery photos"
    )


if __name__ == "__main__":
    main()
