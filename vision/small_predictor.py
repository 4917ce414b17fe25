"""The small network of a shop, as files that any device with ONNX Runtime can use: nothing else is needed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recall.category_head import softmax
from vision.category_sales import EVENLY
from vision.decode import PictureRefused, decode
from vision.item_files import ItemPicture
from vision.settings import PictureLimits

GRAPH, NAMES = "category_network.onnx", "categories.json"
INPUT = "pictures"
_REDUCED = 2
"""A JPEG is decoded at a size at least this many times the network's, and then made smaller."""


class NamedLevel(BaseModel):
    """What one output of the graph means.

    Attributes:
        column: item column whose values it names.
        names: of each class.
        temperature: divides the logits; fitted on pictures held out.
        least_probability: of the likeliest class, below which a picture is of nothing known.
        accuracy: part of the pictures held out whose class is the likeliest.
        accuracy_as_sold: the same, pictures weighted as their categories were bought; None = no purchases.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    names: list[str] = Field(min_length=2)
    temperature: float = Field(gt=0, allow_inf_nan=False)
    least_probability: float = Field(ge=0, le=1)
    accuracy: float = Field(ge=0, le=1)
    accuracy_as_sold: float | None = Field(default=None, ge=0, le=1)


class Meaning(BaseModel):
    """What the file beside the graph says.

    Attributes:
        height: pixels.
        width: pixels.
        levels: of the graph's outputs, in their order.
        drawn: how pictures were drawn to learn from, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(ge=8, le=1024)
    width: int = Field(ge=8, le=1024)
    levels: list[NamedLevel] = Field(min_length=1)
    drawn: str = EVENLY


@dataclass(frozen=True)
class Likely:
    """The likeliest names of a picture at one level.

    Attributes:
        column: of the items.
        names: the likeliest first.
        probabilities: of these.
        known: False where the picture is of nothing known.
    """

    column: str
    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    known: bool


def stretched(image: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """uint8[height, width, 3] of an RGB picture."""
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0), np.uint8)


def pixels_of(
    pictures: Iterator[ItemPicture], limits: PictureLimits, pixels: NDArray[np.uint8]
) -> tuple[NDArray[np.int32], dict[str, int]]:
    """Writes the usable pictures into the first rows of uint8[n, height, width, 3].

    Returns:
        The item of each, int32, and how many cannot be used, by reason.
    """
    height, width = pixels.shape[1:3]
    items: list[int] = []
    refused: Counter[str] = Counter()
    for each in pictures:
        try:
            if each.missing:
                refused[each.missing] += 1
                continue
            image = decode(each.content, limits, _REDUCED * max(height, width))
        except PictureRefused as refusal:
            refused[refusal.reason] += 1
            continue
        pixels[len(items)] = stretched(image, height, width)
        items.append(each.item)
    return np.array(items, np.int32), dict(refused)


class SmallPredictor:
    """Names categories of pictures, on one thread."""

    def __init__(self, folder: Path) -> None:
        """Opens what `train_small_network` wrote.

        Raises ValueError where a file is missing, damaged, or does not fit the other.
        """
        try:
            self.meaning = Meaning.model_validate(json.loads((folder / NAMES).read_text(encoding="utf-8")))
            self._session = open_graph(folder / GRAPH)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, ValidationError) as error:
            raise ValueError(f"{folder / NAMES} cannot be used: {error}") from error
        except Exception as error:
            # ONNX Runtime raises classes of its own for a file that is missing or damaged.
            raise ValueError(f"{folder / GRAPH} cannot be used: {error}") from error
        sizes = [output.shape[-1] for output in self._session.get_outputs()]
        if sizes != [len(level.names) for level in self.meaning.levels]:
            raise ValueError(f"{folder / GRAPH} and {folder / NAMES} are of different networks")

    def name(self, image: Image.Image, most: int = 5) -> list[Likely]:
        """The likeliest names of an RGB picture at each level, `most` at most."""
        pixels = stretched(image, self.meaning.height, self.meaning.width)
        found = []
        for level, logits in zip(
            self.meaning.levels, self._session.run(None, {INPUT: pixels[None]}), strict=True
        ):
            chances = softmax(logits, level.temperature)[0]
            order = np.argsort(-chances, kind="stable")[:most]
            found.append(
                Likely(
                    level.column,
                    tuple(level.names[each] for each in order),
                    tuple(chances[order].tolist()),
                    bool(chances[order[0]] >= level.least_probability),
                )
            )
        return found


def open_graph(path: Path) -> ort.InferenceSession:
    """A graph on one thread of the CPU; raises what ONNX Runtime does where it cannot be read."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
