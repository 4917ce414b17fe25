"""The registration of a query feature, and what it is read from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from environment.board import NO_FEED, Board
from snapshot.catalogue import Catalogue
from state.plan_counts.budget_ledger import Budgets
from state.published import NOTHING, Published
from state.store import StateStore
from state.user_state import UserState

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class FeatureRequest:
    """What a query feature may read; the same for every scene of a request.

    Attributes:
        user_id: the shop's own id; empty for an anonymous shopper.
        now: unix seconds.
        state: behaviours, purchases, impressions and profile, under item keys; empty where unknown.
        profile: field → value, with what the request says of the shopper.
        catalogue: that of the snapshot that answers, for dense item indices and item columns.
        store: user state and event log. `read_log` may block, so read it on another thread.
        live: what the learner has published.
        environment: weather and alerts by city.
        budgets: of exposures; None where the page is shown to nobody.
    """

    user_id: str
    now: int
    state: UserState
    profile: Mapping[str, str]
    catalogue: Catalogue
    store: StateStore
    live: Published = NOTHING
    environment: Board = NO_FEED
    budgets: Budgets | None = None


@dataclass(frozen=True, slots=True)
class QueryFeatureKind(Generic[V]):
    """A query feature: the last statement of its file. Components read it as `query.features[name]`.

    Attributes:
        hydrate: reads the value. It raises `DependencyError` (or `TimeoutError`, or a `StorageError` of the
            store) where something it depends on failed; any other exception is a bug.
        default: the value where it is late or its dependency failed. Shared by all queries: immutable.
        description: what the value is, with shapes, dtypes and units.
        timeout_ms: milliseconds after which the default is used.
        waits: whether `hydrate` may wait, for another process or a thread; one that never does is read
            without a task of its own, and its timeout does not hold.
        enabled: whether it is read for a request although none of the scenes' components names it; None
            where it never is.
        from_learner: whether it is what the learner publishes, so that one must run.
    """

    hydrate: Callable[[FeatureRequest], Awaitable[V]]
    default: V
    description: str
    timeout_ms: float = 20.0
    waits: bool = True
    enabled: Callable[[FeatureRequest], bool] | None = None
    from_learner: bool = False
