"""Errors of user state, of the event log and of tokens.

    StateError
    ├── StateStoreError (also a StorageError)   a record or an entry is corrupt or of another format, or a URL
    │   │                                       names no store
    │   └── CorruptEntry                        an entry of the event log is
    ├── StateOverloaded                         the queue of writes is full
    ├── QueueFull                               the same, of one process's queue of any kind
    ├── RecordError (also a ValueError)         bytes are not a whole, unchanged record
    └── TokenError (also a ValueError)          a token is malformed or forged
        ├── AttributionError                    an attribution token is, or it is expired
        └── CursorError                         a page cursor is, or it is expired, or of other pages

LMDB and Redis themselves raise `foundation.storage.errors.StorageError`; catching that class covers every
failure of a store but `StateOverloaded`.
"""

from __future__ import annotations

from foundation.storage.errors import StorageError


class StateError(Exception):
    """Base of every error that this package raises on its own."""


class StateStoreError(StateError, StorageError):
    """The store cannot answer: a corrupt record, another format, a URL that names no store."""


class CorruptEntry(StateStoreError):
    """An entry of the event log cannot be read; `seq` is its sequence number."""

    def __init__(self, seq: int, reason: str) -> None:
        """`reason`: what is wrong with it."""
        self.seq = seq
        super().__init__(
            f"entry {seq} of the event log is corrupt: {reason}; read on behind it with after_seq={seq}"
        )


class StateOverloaded(StateError):
    """The queue of writes is full; nothing of the batch was stored.

    Attributes:
        queued: events in the queue.
        limit: events it holds at most.
        retry_after_s: seconds after which to try again.
    """

    def __init__(self, queued: int, limit: int, retry_after_s: float) -> None:
        """Creates the error; arguments as in the class."""
        self.queued = queued
        self.limit = limit
        self.retry_after_s = retry_after_s
        super().__init__(
            f"the state write queue holds {queued} of at most {limit} events; retry after {retry_after_s:g} s"
        )


class QueueFull(StateError):
    """The batch does not fit into a queue; `queued` is what the queue contains."""

    def __init__(self, queued: int) -> None:
        """Creates the error; `queued` as in the class."""
        self.queued = queued
        super().__init__(f"{queued} queued")


class RecordError(StateError, ValueError):
    """The bytes are not a whole, unchanged record; the message gives the reason."""


class TokenError(StateError, ValueError):
    """The token cannot be used; the message gives the reason.

    Attributes:
        kind: "malformed", "damaged", "forged", "expired" or "ahead" (of the server's clock).
    """

    def __init__(self, reason: str, kind: str = "malformed") -> None:
        """`reason`: the message; `kind` as in the class."""
        self.kind = kind
        super().__init__(reason)


class AttributionError(TokenError):
    """The attribution token cannot be used."""


class CursorError(TokenError):
    """The page cursor cannot be used, or is of other pages."""
