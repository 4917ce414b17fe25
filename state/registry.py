"""Opens the state store that a URL names. A new kind of store is one line here."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from foundation.storage.redis_url import REDIS_SCHEMES, redacted
from state.errors import StateStoreError
from state.lmdb_store import LmdbStateStore
from state.settings import StateSettings
from state.store import StateStore

Clock = Callable[[], float]
ReleasedWhile = Callable[[], AbstractContextManager[None]]


def _open_lmdb(
    place: str, settings: StateSettings, clock: Clock, released_while: ReleasedWhile
) -> StateStore:
    return LmdbStateStore(Path(place), settings, clock)


def _open_redis(
    place: str, settings: StateSettings, clock: Clock, released_while: ReleasedWhile
) -> StateStore:
    # The client is not imported where LMDB holds the state.
    from state.redis_store import RedisStateStore

    return RedisStateStore(settings.url, settings, clock, released_while)


_SCHEMES: dict[str, Callable[[str, StateSettings, Clock, ReleasedWhile], StateStore]] = {
    "lmdb": _open_lmdb,
    **dict.fromkeys(REDIS_SCHEMES, _open_redis),
}


def open_state(
    settings: StateSettings, clock: Clock = time.time, released_while: ReleasedWhile = nullcontext
) -> StateStore:
    """Opens the store at `settings.url`; the text after `scheme://` is interpreted by the store.

    `clock` gives unix seconds; `released_while` is entered while a read waits for a server, so that other
    calls compute meanwhile.

    Raises:
        StateStoreError: the URL names no known kind of store or no place, or the store cannot be opened.
    """
    scheme, separator, place = settings.url.partition("://")
    known = ", ".join(f"{name}://" for name in sorted(_SCHEMES))
    if not separator or scheme not in _SCHEMES:
        raise StateStoreError(
            f"state.url {redacted(settings.url)!r} names no known store; known are: {known}"
        )
    if not place:
        raise StateStoreError(
            f"state.url {redacted(settings.url)!r} names no place; write for example {scheme}:///srv/state"
        )
    return _SCHEMES[scheme](place, settings, clock, released_while)
