"""What is answered about the deletion and the export of a shopper."""

from __future__ import annotations

from typing import Any

import msgspec


class Removed(msgspec.Struct, frozen=True):
    """Data that are gone: `count` of `what` in `place`."""

    place: str
    what: str
    count: int


class Pending(msgspec.Struct, frozen=True):
    """Data that are not gone yet: `what` in `place`, and `until` when, or what to do."""

    place: str
    what: str
    until: str


class Remaining(msgspec.Struct, frozen=True):
    """What a deletion does not reach: `what` in `place`, and what becomes of it."""

    place: str
    what: str
    fate: str


class ErasureReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a deletion did.

    Attributes:
        found: whether anything was held of the shopper.
        deleted_until_ms: unix milliseconds up to which everything was deleted; what comes later is kept.
        revision: number of the deletion in its store.
        removed: what is gone.
        compacted: what was done so that its bytes are gone from files too.
        pending: what is not gone yet.
        remaining: what is not reached.
    """

    found: bool
    deleted_until_ms: int
    revision: int
    removed: list[Removed] = []
    compacted: list[str] = []
    pending: list[Pending] = []
    remaining: list[Remaining] = []


class ExportedRecord(msgspec.Struct, frozen=True):
    """One record held of a shopper, and in which place."""

    place: str
    record: dict[str, Any]
