"""Hands out everything that is held of a shopper, record by record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from foundation.storage.redis_url import redacted
from loadtest.recording import SUFFIX
from server.privacy.logged_pages import page_of
from server.privacy.places import Places
from server.privacy.recorded_requests import request_of
from server.privacy.report import ExportedRecord
from snapshot.catalogue import Catalogue
from snapshot.event_codes import EVENT_NAMES
from snapshot.manifest import SnapshotError
from snapshot.store import SnapshotStore
from state import feedback_codes
from state.feature_log.logged_page import LoggedPage
from state.feature_log.read_log import read_feature_log
from state.logged_event import LoggedEvent
from state.store import StateStore
from state.user_state import Behaviours, UserState

_ROWS = 1_000
"""Rows of a record at most."""
_CODES = EVENT_NAMES | {
    feedback_codes.NOT_INTERESTED: "not_interested",
    feedback_codes.NOT_INTERESTED_IN_BRAND: "not_interested_in_brand",
    feedback_codes.NOT_INTERESTED_IN_CATEGORY: "not_interested_in_category",
    feedback_codes.SEEN_TOO_OFTEN: "seen_too_often",
    feedback_codes.OWNED: "owned",
    feedback_codes.WITHDRAWN: "withdrawn",
    feedback_codes.RATED: "rated",
    feedback_codes.ASKED: "asked",
}


def export_shopper(store: StateStore, places: Places, user_id: str) -> Iterator[ExportedRecord]:
    """Everything held of a shopper, place by place, of a log its oldest first; nothing for an unknown one.

    Items of records are named by the catalogue that is served; those that it lacks by their key, as
    hexadecimal.

    Raises:
        StorageError: the store fails, or a record is corrupt.
        FeatureLogError: a file of the feature log cannot be read.
    """
    place = redacted(places.state.url)
    state = asyncio.run(store.read(user_id))
    for record in _of_state(state, _catalogue(places)):
        yield ExportedRecord(place, record)
    for seq, event in store.logged(user_id):
        yield ExportedRecord(f"{place} (event log)", {"seq": seq, **_of_event(event)})
    is_page = page_of(user_id, places.request_log)
    for page in read_feature_log(places.feature_log.folder):
        if is_page(page):
            yield ExportedRecord(str(places.feature_log.folder), _of_page(page))
    is_request = request_of(user_id, places.recording)
    for path in sorted(places.recording.folder.glob(f"*{SUFFIX}")):
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and not line.startswith(b"#") and is_request(line):
                    yield ExportedRecord(str(path), msgspec.json.decode(line))


def _catalogue(places: Places) -> Catalogue | None:
    try:
        return SnapshotStore(places.snapshots).open_current(verify=False).catalogue
    except SnapshotError:
        return None


def _of_state(state: UserState, catalogue: Catalogue | None) -> Iterator[dict[str, Any]]:
    if state.profile:
        yield {"record": "profile", **state.profile}
    for name, items, ts, codes in (
        ("behaviours", state.behaviours.items, state.behaviours.ts, _names(state.behaviours)),
        ("purchases", state.purchases.items, state.purchases.ts, None),
        ("impressions", state.impressions.items, state.impressions.ts, None),
        ("seen_items", state.seen.items, state.seen.ts, None),
        ("feedback", state.feedback.items, state.feedback.ts, _names(state.feedback)),
        ("surveys", state.surveys.items, state.surveys.ts, _names(state.surveys)),
    ):
        for start in range(0, len(items), _ROWS):
            part = slice(start, start + _ROWS)
            record: dict[str, Any] = {
                "record": name,
                "item_id": _item_ids(items[part], catalogue),
                "at": ts[part].tolist(),
            }
            yield record if codes is None else {**record, "event": codes[part]}
    changes = state.cart_changes
    for start in range(0, len(changes.items), _ROWS):
        part = slice(start, start + _ROWS)
        yield {
            "record": "cart_changes",
            "item_id": _item_ids(changes.items[part], catalogue),
            "at": changes.ts[part].tolist(),
            "pieces": changes.pieces[part].tolist(),
        }


def _names(rows: Behaviours) -> list[str]:
    return [_CODES.get(code, str(code)) for code in rows.events.tolist()]


def _item_ids(keys: NDArray[np.uint64], catalogue: Catalogue | None) -> list[str]:
    if catalogue is None:
        return [f"{key:016x}" for key in keys.tolist()]
    dense = catalogue.dense_from_keys(keys)
    known = catalogue.item_ids(dense)
    return [
        item_id if at else f"{key:016x}"
        for key, at, item_id in zip(keys.tolist(), dense.tolist(), known, strict=True)
    ]


def _of_event(event: LoggedEvent) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(event)
    rating = fields.pop("rating")
    fields["event"] = _CODES.get(event.event, str(event.event))
    return fields if rating is None else fields | {"rating": msgspec.structs.asdict(rating)}


def _of_page(page: LoggedPage) -> dict[str, Any]:
    return {
        name: _plain(getattr(page, name)) for name in LoggedPage.__slots__ if getattr(page, name) is not None
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
