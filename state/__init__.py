"""User state and the event log, behind one interface chosen by URL."""

from foundation.storage.settings import RedisSettings
from state.errors import StateError, StateOverloaded, StateStoreError
from state.event_batch import EventBatch
from state.logged_event import LoggedEvent
from state.registry import open_state
from state.settings import StateSettings
from state.store import StateStore, StoreStatus
from state.user_state import EMPTY_STATE, Behaviours, TimedItems, UserState

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
    "StateStoreError",
    "StoreStatus",
    "TimedItems",
    "UserState",
    "open_state",
]
