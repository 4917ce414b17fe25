"""User state and the event log, behind one interface chosen by URL."""

from router.state.errors import StateError, StateOverloaded, StateUnavailable
from router.state.event_batch import EventBatch
from router.state.event_log import LoggedEvent
from router.state.registry import open_state
from router.state.settings import RedisSettings, StateSettings
from router.state.store import StateStore, StoreStatus
from router.state.user_state import EMPTY_STATE, Behaviours, TimedItems, UserState

__all__ = [
    "EMPTY_STATE",
    "Behaviours",
    "EventBatch",
    "LoggedEvent",
    "RedisSettings",
    "StateError",
    "StateOverloaded",
    "StateSettings",
    "StateStore",
    "StateUnavailable",
    "StoreStatus",
    "TimedItems",
    "UserState",
    "open_state",
]
