"""What a recall channel is asked: one shopper in one scene, as NumPy columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recall.rollout_ticket import RolloutTicket


@dataclass(frozen=True, slots=True)
class Query:
    """One shopper in one scene. Every item is a dense index (1…N) known to the snapshot that answers.

    The history is newest first and at most 200 long. Times are int64 unix seconds.
    """

    scene: str
    user_id: str
    """The shop's own id; empty for an anonymous shopper."""
    now: int
    history_items: NDArray[np.int32]
    """int32[h], newest first."""
    history_events: NDArray[np.uint8]
    """uint8[h], codes of `EventType`: 1 impression, 2 view, 3 favorite, 4 cart, 5 purchase."""
    history_ts: NDArray[np.int64]
    """int64[h]."""
    triggers: NDArray[np.int32]
    """int32[t], distinct items that cause recall; by default `recall.triggers.select_triggers`."""
    trigger_weights: NDArray[np.float32]
    """float32[t], positive."""
    profile: Mapping[str, str]
    """Field → value, as in `users.parquet` (gender, age_band, city, …); an absent field is unknown."""
    profile_codes: NDArray[np.int32]
    """int32[4], `features.profile.encode_profile` of `profile`."""
    context_codes: NDArray[np.int32]
    """int32[3], `features.context.encode_context`."""
    excluded: NDArray[np.int32]
    """int32[], items the caller does not want back; a filter of the router removes them, not recall."""
    purchased_items: NDArray[np.int32]
    purchased_ts: NDArray[np.int64]
    model_versions: Mapping[str, str]
    """Model → version on Triton this query must be answered by."""
    arms: Mapping[str, str]
    """Experiment → arm."""
    rollout: RolloutTicket | None = None
    """The query's part in a rollout; None where it takes part in none."""
