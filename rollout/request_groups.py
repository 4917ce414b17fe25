"""The groups that a request belongs to: its scene, how many candidates it has, and the crowds of its shopper.

A fault of a model that concerns one of them only is thinned out in the average over all requests.
"""

from __future__ import annotations

from bisect import bisect_right

from features.profile import PROFILE_FIELDS
from recall.query import Query

_CANDIDATES = (20, 50, 100, 200, 300)
_HISTORY = (1, 10, 50)
_MAX_CODE = 15
_MAX_NAME = 40


def groups_of(query: Query, candidates: int) -> tuple[str, ...]:
    """Names of the groups of a request, one of every kind, such as "scene=home".

    candidates  items scored

    Few by construction, since each of them is counted and tested: of a profile's field only the first 15
    values of its vocabulary are distinguished, and nothing that a caller writes names a group but the scene.
    Shoppers whose value is not known are a group too: a model reads that as a value of its own.
    """
    crowds = [
        f"{name}={_value(query.profile.get(name, ''), code)}"
        for name, code in zip(PROFILE_FIELDS, query.profile_codes.tolist(), strict=True)
    ]
    return (
        f"scene={query.scene[:_MAX_NAME]}",
        f"candidates={_band(candidates, _CANDIDATES)}",
        "shopper=known" if query.user_id else "shopper=anonymous",
        f"history={_band(query.history_items.size, _HISTORY)}",
        *crowds,
    )


def _value(value: str, code: int) -> str:
    if code == 0:
        return "unknown"
    return value[:_MAX_NAME] if code <= _MAX_CODE and value else "other"


def _band(number: int, starts: tuple[int, ...]) -> str:
    """The range that `number` is in, as "20-49"; `starts` are where ranges begin, rising."""
    at = bisect_right(starts, number)
    low = starts[at - 1] if at else 0
    if at == len(starts):
        return f"{low}+"
    return str(low) if starts[at] == low + 1 else f"{low}-{starts[at] - 1}"
