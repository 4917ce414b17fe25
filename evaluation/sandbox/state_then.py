"""The state of a shopper as it was at the time of a recorded request."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from state.store import StateStore
from state.user_state import UserState

_Columns = TypeVar("_Columns")


@dataclass(frozen=True, slots=True)
class StateThen:
    """Reads states without what happened from unix second `before` on."""

    store: StateStore
    before: int

    async def read(self, user_id: str) -> UserState:
        """As `StateStore.read`. The profile is that of today: earlier ones are not kept."""
        return state_before(await self.store.read(user_id), self.before)


def state_before(state: UserState, before: int) -> UserState:
    """The rows of a state that are older than unix second `before`."""
    return replace(
        state,
        behaviours=_cut(state.behaviours, before),
        purchases=_cut(state.purchases, before),
        impressions=_cut(state.impressions, before),
        feedback=_cut(state.feedback, before),
        surveys=_cut(state.surveys, before),
        seen=_cut(state.seen, before),
    )


def _cut(columns: _Columns, before: int) -> _Columns:
    rows: Any = columns
    # Newest first, and times that clients report need not be in order.
    kept = np.flatnonzero(rows.ts < before)
    if kept.size == rows.ts.size:
        return columns
    return type(columns)(*(getattr(rows, field.name)[kept] for field in fields(rows)))
