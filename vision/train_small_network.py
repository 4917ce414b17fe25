"""Trains a shop's small network that names categories, calibrates it and writes it as files of 2 MB."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporters.category_export import write_float32, write_int8
from models.category_network import SIDES
from models.category_training import LabelledPictures, Told, train_network, usual_passes
from models.picture_network import PictureNetwork, load_pretrained
from recall.category_head import softmax
from snapshot.durable_files import write_durably
from vision.category_sales import Sales, draws_of
from vision.fit_category_head import fit_temperature
from vision.settings import CategoryNetworkSettings
from vision.small_predictor import GRAPH, INPUT, NAMES, Meaning, NamedLevel, open_graph

_LEAST_PICTURES, _LEAST_PER_CLASS = 200, 5
_HELD_OUT = 5
"""One of so many items is held out: for the temperatures, the thresholds and the accuracies."""
_LET_THROUGH = 0.95
_EXAMPLES, _PART = 256, 64
_AS_A_RULE = CategoryNetworkSettings()


@dataclass(frozen=True)
class Level:
    """A column of items that a network learns to name.

    Attributes:
        column: its name.
        codes: int32[n], of each picture's item; 0 = unknown.
        names: of each code, that of 0 too.
    """

    column: str
    codes: NDArray[np.int32]
    names: list[str]


def train_small_network(
    pictures: NDArray[np.uint8],
    items: NDArray[np.int32],
    levels: list[Level],
    folder: Path,
    passes: int,
    seed: int,
    told: Told,
    sales: Sales | None = None,
    settings: CategoryNetworkSettings = _AS_A_RULE,
) -> Meaning:
    """Writes the graph, of 8 bits but for its first layers, and what its outputs mean, into `folder`.

    Args:
        pictures: uint8[n, 128, 96, 3], which may be mapped.
        items: int32[n], the item of each.
        levels: the one that counts most first.
        folder: exists.
        passes: over all pictures to learn from; 0 = as many as are worth their time.
        seed: of what is drawn.
        told: after each pass.
        sales: of the first level's codes; None = not known.
        settings: how pictures are drawn. Where they are drawn by sales, temperatures and thresholds are for
            pictures that come as they were sold, too.

    Returns:
        What the outputs mean.

    Raises:
        ValueError: there are too few pictures, or too few classes of a level with five of them.
    """
    random = np.random.default_rng(seed)
    # All pictures of an item are on one side.
    held = random.permutation(int(items.max(initial=0)) + 1)[items] % _HELD_OUT == 0
    kept, classes, named = [], [], []
    for level in levels:
        counts = np.bincount(level.codes[~held], minlength=len(level.names))
        codes = np.flatnonzero((counts >= _LEAST_PER_CLASS) & (np.arange(len(counts)) > 0))
        named.append(codes)
        own = np.full(len(counts), -1)
        own[codes] = np.arange(len(codes))
        kept.append([level.names[code] for code in codes])
        classes.append(own[level.codes])
    usable = classes[0] >= 0
    columns = " and of ".join(level.column for level in levels)
    if usable.sum() < _LEAST_PICTURES or min(len(names) for names in kept) < 2:
        raise ValueError(
            f"too few pictures to learn from: {_LEAST_PICTURES} are needed, and {_LEAST_PER_CLASS} of each "
            f"of two of {columns}"
        )
    if any(not (usable & held & (each >= 0)).any() for each in classes):
        raise ValueError(
            f"too few items: of one in {_HELD_OUT}, held out to calibrate by, none has a name of {columns} "
            "that enough of the others have"
        )
    learned, shown = np.flatnonzero(usable & ~held), np.flatnonzero(usable & held)
    encoder = PictureNetwork()
    load_pretrained(encoder)
    counts_of = tuple(len(names) for names in kept)
    draws = draws_of(sales, named[0], settings)
    training = LabelledPictures(pictures, tuple(classes), learned, draws.of(classes[0][learned]))
    passes = passes or usual_passes(len(learned))
    network = train_network(training, counts_of, encoder, passes, seed, told)
    plain, small = folder / f".{GRAPH}.float32", folder / f".{GRAPH}.int8"
    try:
        outputs = {f"level{number}": (count,) for number, count in enumerate(counts_of)}
        write_float32(network, plain, outputs)
        examples = pictures[learned[:: max(1, len(learned) // _EXAMPLES)]]
        write_int8(plain, small, examples, network.early_convolutions)
        session = open_graph(small)
        parts = [
            session.run(None, {INPUT: pictures[shown[first : first + _PART]]})
            for first in range(0, len(shown), _PART)
        ]
        found = [np.concatenate(logits) for logits in zip(*parts, strict=True)]
        counted, sold = draws.of(classes[0][shown]), draws.weights(classes[0][shown])
        meaning = Meaning(
            height=SIDES[0],
            width=SIDES[1],
            levels=[
                _calibrated(level.column, names, logits, truth[shown], counted, sold)
                for level, names, logits, truth in zip(levels, kept, found, classes, strict=True)
            ],
            drawn=draws.said,
        )
        # Both files at last: who is stopped before has the network of before, if any.
        small.replace(folder / GRAPH)
        write_durably(folder / NAMES, meaning.model_dump_json(indent=1).encode())
    finally:
        plain.unlink(missing_ok=True)
        small.unlink(missing_ok=True)
    return meaning


def _calibrated(
    column: str,
    names: list[str],
    logits: NDArray[np.float32],
    classes: NDArray[np.int64],
    counted: NDArray[np.float64] | None,
    sold: NDArray[np.float64] | None,
) -> NamedLevel:
    """What an output means; counted, sold: float64[n], weights of pictures held out; None = alike."""
    known = classes >= 0
    weights = np.ones(len(classes)) if counted is None else counted
    temperature = fit_temperature(logits[known], classes[known], weights[known])
    best = softmax(logits, temperature).max(axis=1)
    right = (logits.argmax(axis=1) == classes)[known]
    as_sold = None if sold is None or not sold[known].any() else np.average(right, weights=sold[known])
    threshold = np.quantile(best, 1 - _LET_THROUGH, weights=weights, method="inverted_cdf")
    return NamedLevel(
        column=column,
        names=names,
        temperature=temperature,
        least_probability=float(threshold),
        accuracy=float(right.mean()),
        accuracy_as_sold=None if as_sold is None else float(as_sold),
    )
