"""A tiny shop for made-up event logs, and states that have read nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from learning.stream.samples import Samples
from learning.stream.settings import StreamSettings
from learning.stream.shop_facts import ShopFacts
from learning.stream.stream import StreamState
from server.settings import RouterSettings
from snapshot.catalogue import Catalogue
from snapshot.item_keys import item_keys
from state.event_batch import EventBatch
from state.live_counters.decay import HALF_LIVES_S, SIGNALS
from state.live_counters.keys import text_key
from state.live_counters.kinds import Subjects
from state.logged_event import LoggedEvent
from state.published import LiveFolder, LiveManifest, write_manifest
from state.store import StateStore
from testing.browsing_log import CODEC
from testing.browsing_log import token as token_of
from tests.recall.small_shop import make_catalogue

SCENES = frozenset({"home", "cart"})
ITEMS = ("i1", "i2", "i3", "i4")
SETTINGS = StreamSettings(window_s=120, label_wait_s=20, most_behind_s=900)
"""Short windows, so that short logs leave them."""


def numbered(events: Sequence[LoggedEvent], after: int = 0) -> list[tuple[int, LoggedEvent]]:
    """The events as entries of a log."""
    return list(enumerate(events, start=after + 1))


def small_catalogue(folder: Path) -> Catalogue:
    """Four items of two categories."""
    folder.mkdir(parents=True, exist_ok=True)
    return make_catalogue(folder, [1, 1, 2, 2])


def new_state(catalogue: Catalogue, folder: Path, settings: StreamSettings = SETTINGS) -> StreamState:
    """A state that has read nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    return StreamState(settings, CODEC, catalogue, folder)


def facts_of(settings: RouterSettings) -> ShopFacts:
    """The catalogue and the scenes that the settings name."""
    return ShopFacts(settings.snapshots.folder, settings.scenes)


def append(store: StateStore, events: Sequence[LoggedEvent]) -> None:
    """Puts events into a store's log."""

    async def work() -> None:
        for at in range(0, len(events), 1_000):
            await store.append(EventBatch.of(events[at : at + 1_000]))

    asyncio.run(work())


def token(shopper: str, number: int, at_s: int, items: Sequence[str] = ITEMS, **more: Any) -> str:
    return token_of(shopper, number, at_s, items, **more)


def read(state: StreamState, events: Sequence[LoggedEvent], size: int = 10_000) -> Samples:
    entries = numbered(events, state.seq)
    return Samples.joined(
        [state.read(entries[at : at + size], SCENES) for at in range(0, max(1, len(entries)), size)]
    )


def counts(state: StreamState, folder: Path, kind: str, subjects: Subjects, now_s: float) -> dict[str, float]:
    """Decayed counts of the first of the subjects by the hour's half-life, as a replica reads them."""
    write_manifest(folder, LiveManifest(state.files))
    follower = LiveFolder(folder)
    follower.look()
    found = follower.current.counters.counts(kind, subjects, now_s)[0, list(HALF_LIVES_S).index("1h")]
    return dict(zip(SIGNALS, found.tolist(), strict=True))


def item(name: str, scene: str = "home", shopper: str = "u1", category: str = "c1") -> Subjects:
    return Subjects(
        item_keys([name]), *(np.array([text_key(text)], np.uint64) for text in (category, scene, shopper))
    )
