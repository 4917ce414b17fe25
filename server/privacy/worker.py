"""Deletes or exports shoppers in a process of its own, `python -m server.privacy.worker`: no replica waits.

It reads one JSON `Order` from standard input, and writes one line: `ok` and JSON, or `failed` and why.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Literal

import msgspec

from foundation.storage.errors import StorageError
from foundation.storage.private_files import keep_files_private
from server.privacy.erasure import Erasure
from server.privacy.export import export_shopper
from server.privacy.places import Places
from server.privacy.report import ExportedRecord
from state.feature_log.log_file import FeatureLogError
from state.registry import open_state

MOST_RECORDS = 500
MOST_BYTES = 1 << 20
OK, FAILED = "ok ", "failed "


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: `places` is the JSON of `Places`; `skip`: records of the export that are known already."""

    action: Literal["delete", "export", "finish"]
    places: str
    user_id: str = ""
    compact: bool = True
    skip: int = 0


class ExportedPart(msgspec.Struct, frozen=True):
    """A part of an export; `next`: records to skip for the next part, 0 where there is none."""

    records: list[ExportedRecord]
    next: int


class Finished(msgspec.Struct, frozen=True):
    """What `finish` did: deletions that were resumed; lines of what was compacted, and of what is pending."""

    resumed: int
    compacted: list[str]
    pending: list[str]


def obey(order: Order) -> bytes:
    """The answer to an order, as JSON. Raises StorageError, FeatureLogError and OSError."""
    places = Places.model_validate_json(order.places)
    store = open_state(places.state)
    try:
        if order.action == "export":
            return msgspec.json.encode(_part(export_shopper(store, places, order.user_id), order.skip))
        erasure = Erasure(store, places)
        if order.action == "delete":
            return msgspec.json.encode(erasure.delete(order.user_id, compact=order.compact))
        resumed, compaction = erasure.finish()
        return msgspec.json.encode(Finished(resumed, list(compaction.done), list(compaction.pending)))
    finally:
        store.close()


def _part(records: Iterator[ExportedRecord], skip: int) -> ExportedPart:
    part: list[ExportedRecord] = []
    size = 0
    for record in islice(records, skip, None):
        if len(part) == MOST_RECORDS or size > MOST_BYTES:
            return ExportedPart(part, skip + len(part))
        part.append(record)
        size += len(msgspec.json.encode(record))
    return ExportedPart(part, 0)


def main() -> None:
    """Obeys the order of standard input."""
    # One that a signal of the kernel ends (SIGBUS, …) says where, in what its replica prints.
    faulthandler.enable()
    keep_files_private()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        said = OK.encode() + obey(order)
    except (StorageError, FeatureLogError, OSError) as error:
        said = (FAILED + str(error)).encode()
    sys.stdout.buffer.write(said + b"\n")


if __name__ == "__main__":
    main()
