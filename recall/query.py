"""What a channel, filter, scorer or reranker is given: one shopper in one scene, as NumPy columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import CONTEXT_SIZES
from features.profile import PROFILE_FIELDS
from features.scene_rules import NO_SCENE_RULES, SceneRules
from recall.rollout_ticket import RolloutTicket
from recall.search.wish import NO_WISH, Wish


def _zeros(length: int, dtype: type[np.generic]) -> Callable[[], NDArray[Any]]:
    """Gives the same read-only array of `length` zeros to every query."""
    column = np.zeros(length, dtype)
    column.flags.writeable = False
    return lambda: column


def _nothing() -> Mapping[str, Any]:
    return _NOTHING


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One shopper in one scene. Every item is a dense index (1…N) known to the snapshot that answers.

    The history is newest first and at most 200 long. Times are int64 unix seconds. What is left out is
    empty or unknown.
    """

    scene: str
    now: int
    user_id: str = ""
    """The shop's own id; empty for an anonymous shopper."""
    history_items: NDArray[np.int32] = field(default_factory=_zeros(0, np.int32))
    """int32[h], newest first."""
    history_events: NDArray[np.uint8] = field(default_factory=_zeros(0, np.uint8))
    """uint8[h], codes of `EventType`: 1 impression, 2 view, 3 favorite, 4 cart, 5 purchase."""
    history_ts: NDArray[np.int64] = field(default_factory=_zeros(0, np.int64))
    """int64[h]."""
    triggers: NDArray[np.int32] = field(default_factory=_zeros(0, np.int32))
    """int32[t], distinct items that cause recall; by default `recall.triggers.select_triggers`."""
    trigger_weights: NDArray[np.float32] = field(default_factory=_zeros(0, np.float32))
    """float32[t], positive."""
    anchors: NDArray[np.int32] = field(default_factory=_zeros(0, np.int32))
    """int32[a], distinct items that the page is about: the product shown, or what lies in the cart."""
    anchor_weights: NDArray[np.float32] = field(default_factory=_zeros(0, np.float32))
    """float32[a], positive."""
    profile: Mapping[str, str] = field(default_factory=_nothing)
    """Field → value, as in `users.parquet` (gender, age_band, city, …); an absent field is unknown."""
    profile_codes: NDArray[np.int32] = field(default_factory=_zeros(len(PROFILE_FIELDS), np.int32))
    """int32[4], `features.profile.encode_profile` of `profile`."""
    context_codes: NDArray[np.int32] = field(default_factory=_zeros(len(CONTEXT_SIZES), np.int32))
    """int32[3], `features.context.encode_context`."""
    excluded: NDArray[np.int32] = field(default_factory=_zeros(0, np.int32))
    """int32[], items the caller does not want back; a filter of the router removes them, not recall."""
    purchased_items: NDArray[np.int32] = field(default_factory=_zeros(0, np.int32))
    """int32[p], newest first."""
    purchased_ts: NDArray[np.int64] = field(default_factory=_zeros(0, np.int64))
    """int64[p]."""
    removed_items: NDArray[np.int32] = field(default_factory=_zeros(0, np.int32))
    """int32[r], distinct, newest first: what the shopper took out of the cart, so that none was left."""
    removed_ts: NDArray[np.int64] = field(default_factory=_zeros(0, np.int64))
    """int64[r]."""
    model_versions: Mapping[str, str] = field(default_factory=_nothing)
    """Model → version on Triton this query must be answered by."""
    arms: Mapping[str, str] = field(default_factory=_nothing)
    """Experiment → arm."""
    features: Mapping[str, Any] = field(default_factory=_nothing)
    """Query feature → value (`router/query_features/`), of the features that the scene's components name."""
    look: NDArray[np.float32] | None = None
    """float32[F + C], of a picture that the items are to look like (`recall.picture_space`); None = none."""
    search_query: str = ""
    """What the shopper searched for, as `recall.search.words.folded` writes it; empty where nothing."""
    wish: Wish = NO_WISH
    """What the shopper is looking for; items that violate a must of it are never shown."""
    rules: SceneRules = NO_SCENE_RULES
    """What merchandisers block and pin in the scene."""
    rollout: RolloutTicket | None = None
    """The query's part in a rollout; None where it takes part in none."""

    def about(self, anchors: NDArray[np.int32], weights: NDArray[np.float32] | None = None) -> Query:
        """The same query for a page about `anchors`, int32[a], distinct; weights float32[a], None = 1 each.

        They alone cause recall, and the page does not show them.
        """
        weights = np.ones(anchors.size, np.float32) if weights is None else weights
        return replace(
            self,
            anchors=anchors,
            anchor_weights=weights,
            triggers=anchors,
            trigger_weights=weights,
            excluded=np.concatenate((self.excluded, anchors)),
        )
