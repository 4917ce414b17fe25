"""The shopper's side of a model's inputs, with the batch axis that Triton's models have."""

import numpy as np
from numpy.typing import NDArray

from features.history import encode_history
from recall.query import Query


def history_inputs(query: Query) -> dict[str, NDArray[np.int32]]:
    """`history_item`, `history_event`, `history_age` of one shopper: int32[1, 50] each."""
    item, event, age = encode_history(query.history_items, query.history_events, query.history_ts, query.now)
    return {"history_item": item[None], "history_event": event[None], "history_age": age[None]}


def model_version(query: Query, model: str) -> str:
    """The version of a model that belongs to the snapshot answering this query; "" where there is none."""
    return query.model_versions.get(model, "")
