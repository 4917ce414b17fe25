"""Inputs on which the exported form is compared with torch: made-up extremes and real shoppers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.context import CONTEXT_SIZES, encode_context_batch
from features.history import AGE_BUCKETS, HISTORY_LENGTH, encode_history_batch
from models.interaction_log import InteractionLog
from snapshot.dataset import Dataset
from snapshot.event_codes import EVENT_CODES
from triton_repo.contract import Contract

Feeds = dict[str, NDArray[np.int32]]
_PROFILE_CODES = 4
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True)
class InputCase:
    """Named inputs of one call."""

    name: str
    feeds: Feeds


def random_feeds(contract: Contract, *, shoppers: int, candidates: int, items: int, seed: int) -> Feeds:
    """Valid inputs drawn uniformly: items 1…`items`, full histories, rows 0…`shoppers`−1."""
    random = np.random.default_rng(seed)
    ceilings = {
        "history_item": (1, items + 1),
        "history_event": (1, len(EVENT_CODES) + 1),
        "history_age": (1, AGE_BUCKETS + 1),
        "profile": (0, _PROFILE_CODES),
        "context": (0, min(CONTEXT_SIZES)),
        "candidate_item": (1, items + 1),
        "candidate_row": (0, shoppers),
    }
    feeds = {}
    for name, dims in contract.inputs.items():
        rows = candidates if name.startswith("candidate") else shoppers
        feeds[name] = random.integers(*ceilings[name], (rows, *dims[1:]), dtype=np.int32)
    return feeds


def made_up_cases(contract: Contract, items: int, seed: int) -> list[InputCase]:
    """Sizes and values at the edges: 1 and 1,000 candidates, one and several shoppers, no history, a short
    and a full one, ids and codes that no table holds."""

    def drawn(shoppers: int, candidates: int) -> Feeds:
        return random_feeds(contract, shoppers=shoppers, candidates=candidates, items=items, seed=seed)

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
    for label, values in (
        ("unknown ids and codes (0)", (0,)),
        ("ids and codes outside the tables", (-1, items + 1, _INT32.min, _INT32.max)),
    ):
        odd = drawn(3, 50)
        random = np.random.default_rng(seed)
        for name, column in odd.items():
            if name != "candidate_row":
                replaced = random.random(column.shape) < 0.5
                column[replaced] = random.choice(np.array(values, np.int32), int(replaced.sum()))
        cases.append(InputCase(label, odd))
    return cases


def dataset_cases(
    contract: Contract, dataset: Dataset, *, shoppers: int, candidates: int, seed: int, batch: int = 16
) -> list[InputCase]:
    """Real shoppers at real moments, `batch` to a call.

    Each stands at the time of one of the events, drawn by `seed`, with everything before it as history.
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
    histories = encode_history_batch(
        events.item, events.event, events.ts, starts, np.maximum(starts, ends), now, HISTORY_LENGTH
    )
    columns: Feeds = {
        **dict(zip(("history_item", "history_event", "history_age"), histories, strict=True)),
        "profile": log.profile[user],
        "context": encode_context_batch(now),
    }
    cases = []
    for first in range(0, len(at), batch):
        feeds = {name: columns[name][first : first + batch] for name in contract.inputs if name in columns}
        if contract.scores_candidates:
            count = len(at[first : first + batch])
            feeds["candidate_row"] = np.repeat(np.arange(count, dtype=np.int32), candidates)
            taken = random.choice(events.item, count * candidates)
            anything = random.integers(1, log.items + 1, count * candidates)
            feeds["candidate_item"] = np.where(random.random(len(taken)) < 0.5, taken, anything).astype(
                np.int32
            )
        label = (
            f"shoppers {first + 1}…{first + len(at[first : first + batch])} of data set {dataset.manifest.id}"
        )
        cases.append(InputCase(label, _contiguous(feeds, contract.inputs)))
    return cases


def _contiguous(feeds: Feeds, order: Sequence[str] | dict[str, tuple[int, ...]]) -> Feeds:
    return {name: np.ascontiguousarray(feeds[name], dtype=np.int32) for name in order}
