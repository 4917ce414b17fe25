"""Groups of shoppers among whom channels are compared: a new way to group is one function and a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from features.profile import PROFILE_FIELDS
from recall.query import Query
from state.channel_rates.rates import WHOLE_SCENE

_KNOWN_FROM = 5
_GENDER, _AGE = PROFILE_FIELDS.index("gender"), PROFILE_FIELDS.index("age_band")


def _none(query: Query) -> str:
    return WHOLE_SCENE


def _familiarity(query: Query) -> str:
    return "known" if query.history_items.size >= _KNOWN_FROM else "new"


def _crowd(query: Query) -> str:
    # Values outside the vocabulary are the caller's own words, of which there may be any number.
    if not query.profile_codes[_GENDER] or not query.profile_codes[_AGE]:
        return WHOLE_SCENE
    return f"{query.profile['gender']} {query.profile['age_band']}"


SEGMENTS: Mapping[str, Callable[[Query], str]] = {
    "none": _none,
    "familiarity": _familiarity,
    "crowd": _crowd,
}
"""Query → segment; empty: only the whole scene counts.

none         no segments
familiarity  "known": at least 5 events of the shopper's history are known; else "new"
crowd        gender and age band, where both are known
"""
