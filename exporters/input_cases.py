"""Inputs on which the exported form is compared with torch: made-up extremes and real shoppers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporters.errors import ExportRefused
from exporters.runner import Feeds
from models.interaction_log import InteractionLog
from models.kind import ModelKind
from models.moments import Moments
from models.shopper_inputs import valid_ranges
from snapshot.dataset import Dataset
from triton_repo.contract import Contract
from triton_repo.tensors import Tensor

_INT32 = np.iinfo(np.int32)
_STRANGE_WORDS = (b"", b"a word that no vocabulary holds", "wörter mit Umlauten · 词".encode())

Words = Mapping[str, Sequence[bytes]]
"""Bytes input → the words that the network knows."""


@dataclass(frozen=True, slots=True)
class InputCase:
    """Named inputs of one call."""

    name: str
    feeds: Feeds


def random_feeds(
    contract: Contract, *, shoppers: int, candidates: int, items: int, seed: int, words: Words | None = None
) -> dict[str, NDArray[Any]]:
    """Valid inputs drawn at random.

    Items are 1…`items`, histories full, rows 0…`shoppers` - 1; a bytes input has its own `words` and
    unknown ones; of any other input integers are 0…`items`, as far as the type reaches, and floats normal.
    A named size other than "n" (candidates) is `shoppers`.
    """
    random = np.random.default_rng(seed)
    ranges = valid_ranges(items, shoppers)
    sizes = dict.fromkeys(contract.tensors.dimensions(), shoppers) | {"n": candidates}
    return {
        tensor.name: _drawn(
            tensor, tensor.sized(sizes), random, ranges.get(tensor.name, (0, items + 1)), words or {}
        )
        for tensor in contract.tensors.inputs
    }


def _drawn(
    tensor: Tensor,
    shape: tuple[int, ...],
    random: np.random.Generator,
    valid: tuple[int, int],
    words: Words,
) -> NDArray[Any]:
    if tensor.dtype == "bytes":
        known = [*words.get(tensor.name, ()), *_STRANGE_WORDS]
        chosen = np.empty(shape, dtype=object)
        chosen.ravel()[:] = [known[place] for place in random.integers(0, len(known), chosen.size)]
        return chosen
    if tensor.dtype == "bool":
        return random.random(shape) < 0.5
    if tensor.dtype in ("float16", "float32", "float64"):
        return random.standard_normal(shape).astype(tensor.numpy)
    low, high = valid
    most = 2 ** (8 * tensor.numpy.itemsize - (tensor.dtype != "uint8"))
    drawn = random.integers(
        low, min(high, most), shape, dtype=np.int32 if tensor.dtype == "int32" else np.int64
    )
    return drawn.astype(tensor.numpy, copy=False)


def made_up_cases(contract: Contract, items: int, seed: int, words: Words | None = None) -> list[InputCase]:
    """Sizes and values at the edges.

    1 and 1,000 candidates, one and several shoppers; of the shopper's inputs no history, a short and a full
    one, ids and codes that no table holds; zeros, and of bytes the empty word, for all others.
    """

    def drawn(shoppers: int, candidates: int) -> dict[str, NDArray[Any]]:
        return random_feeds(
            contract, shoppers=shoppers, candidates=candidates, items=items, seed=seed, words=words
        )

    cases = [
        InputCase("one shopper, one candidate, full history", drawn(1, 1)),
        InputCase("one shopper, 1000 candidates, full history", drawn(1, 1000)),
        InputCase("7 shoppers, 1000 candidates, full histories", drawn(7, 1000)),
    ]
    empty, short = drawn(2, 50), drawn(3, 50)
    for name in empty:
        if name.startswith("history"):
            empty[name][:] = 0
            short[name][:, 5:] = 0
    cases += [InputCase("empty histories", empty), InputCase("histories of 5", short)]
    shared = valid_ranges(items, 1)
    if any(tensor.name not in shared for tensor in contract.tensors.inputs):
        plain = drawn(2, 50)
        for tensor in contract.tensors.inputs:
            if tensor.name not in shared:
                plain[tensor.name][:] = b"" if tensor.dtype == "bytes" else 0
        cases.append(InputCase("zeros", plain))
    for label, values in (
        ("unknown ids and codes (0)", (0,)),
        ("ids and codes outside the tables", (-1, items + 1, _INT32.min, _INT32.max)),
    ):
        odd = drawn(3, 50)
        random = np.random.default_rng(seed)
        for name, column in odd.items():
            if name in shared and name != "candidate_row":
                replaced = random.random(column.shape) < 0.5
                column[replaced] = random.choice(np.array(values, np.int32), int(replaced.sum()))
        cases.append(InputCase(label, odd))
    return cases


def dataset_cases(
    kind: ModelKind,
    contract: Contract,
    dataset: Dataset,
    *,
    shoppers: int,
    candidates: int,
    seed: int,
    batch: int = 16,
) -> list[InputCase]:
    """Real shoppers at real moments, `batch` to a call.

    Each is taken at the time of one of the events, drawn by `seed`, with everything before it as history.
    Half of the candidates are drawn from what shoppers took, half from the whole catalogue. No case comes
    back where the data set has no events.
    """
    log = InteractionLog.from_dataset(dataset)
    events = log.behaviours
    if not len(events):
        return []
    random = np.random.default_rng(seed)
    at = np.sort(random.choice(len(events), min(shoppers, len(events)), replace=False))
    user, now = events.user[at].astype(np.int64), events.ts[at]
    starts, ends = events.offsets[user], events.position_before(user, now)
    cases = []
    for first in range(0, len(at), batch):
        rows = slice(first, first + batch)
        count = len(at[rows])
        row, item = np.empty(0, np.int32), np.empty(0, np.int32)
        if contract.scores_candidates:
            row = np.repeat(np.arange(count, dtype=np.int32), candidates)
            taken = random.choice(events.item, count * candidates)
            anything = random.integers(1, log.items + 1, count * candidates)
            item = np.where(random.random(len(taken)) < 0.5, taken, anything).astype(np.int32)
        moments = Moments(
            log,
            dataset.catalogue,
            user[rows],
            now[rows],
            starts[rows],
            np.maximum(starts, ends)[rows],
            item,
            row,
        )
        label = f"shoppers {first + 1}…{first + count} of data set {dataset.manifest.id}"
        cases.append(InputCase(label, real_feeds(kind, contract, moments)))
    return cases


def real_feeds(kind: ModelKind, contract: Contract, moments: Moments) -> dict[str, NDArray[Any]]:
    """The declared inputs of real shoppers, in the declared types.

    Raises ExportRefused where the model's `inputs` leaves one out.
    """
    made = kind.inputs(moments)
    missing = [tensor.name for tensor in contract.tensors.inputs if tensor.name not in made]
    if missing:
        raise ExportRefused(
            f"{contract.model} declares the inputs {', '.join(missing)}, which its `inputs` does not make of"
            " real shoppers; return an array of each by its name"
        )
    return {
        tensor.name: np.ascontiguousarray(made[tensor.name], dtype=tensor.numpy)
        for tensor in contract.tensors.inputs
    }
