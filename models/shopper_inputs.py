"""The inputs that the built-in models share: what is known of a shopper, and candidates beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from features.context import CONTEXT_SIZES, encode_context_batch
from features.history import AGE_BUCKETS, HISTORY_LENGTH
from features.profile import PROFILE_FIELDS
from models.moments import Moments
from snapshot.event_codes import HISTORY_ROWS
from triton_repo.tensors import Tensor

HISTORY = (
    Tensor("history_item", "int32", ("B", HISTORY_LENGTH)),
    Tensor("history_event", "int32", ("B", HISTORY_LENGTH)),
    Tensor("history_age", "int32", ("B", HISTORY_LENGTH)),
)
"""Newest behaviours first, 0 = padding; B shoppers."""
SHOPPER = (
    *HISTORY,
    Tensor("profile", "int32", ("B", len(PROFILE_FIELDS))),
    Tensor("context", "int32", ("B", len(CONTEXT_SIZES))),
)
"""The history, and the codes of profile and context."""
CANDIDATES = (Tensor("candidate_item", "int32", ("n",)), Tensor("candidate_row", "int32", ("n",)))
"""Items to score, each with the row of its shopper; n candidates of all shoppers together."""

_PROFILE_CODES = 4


def shopper_inputs(moments: Moments) -> Mapping[str, NDArray[Any]]:
    """All of `SHOPPER` and `CANDIDATES` by name: how real shoppers become the built-in models' inputs."""
    histories = zip((tensor.name for tensor in HISTORY), moments.history(), strict=True)
    return {
        **dict(histories),
        "profile": moments.log.profile[moments.user],
        "context": encode_context_batch(moments.now),
        "candidate_item": moments.candidate_item,
        "candidate_row": moments.candidate_row,
    }


def valid_ranges(items: int, shoppers: int) -> dict[str, tuple[int, int]]:
    """Input → the half-open range of its valid values (0, unknown, left out where it is padding).

    items: N of the catalogue; shoppers: B.
    """
    return {
        "history_item": (1, items + 1),
        "history_event": (1, HISTORY_ROWS),
        "history_age": (1, AGE_BUCKETS + 1),
        "profile": (0, _PROFILE_CODES),
        "context": (0, min(CONTEXT_SIZES)),
        "candidate_item": (1, items + 1),
        "candidate_row": (0, shoppers),
    }
