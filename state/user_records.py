"""The records of users inside a transaction of any store: reading, adding events, merging the past."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec
import numpy as np

from snapshot.event_codes import (
    CHANGES_CART,
    IMPRESSION,
    IS_CORRECTION,
    IS_EVENT,
    IS_HISTORY,
    PURCHASE,
    PUTS_IN_CART,
)
from snapshot.tombstones import user_hash
from state.arrivals import Arrivals
from state.errors import RecordError, StateStoreError
from state.feedback_codes import ITEM_CODES, SURVEY_CODES, is_item_feedback, is_survey
from state.records import (
    Rows,
    decode,
    decode_profile,
    encode,
    encode_profile,
    merge,
    not_in,
    rows_at,
    rows_of,
)
from state.served_items import ServedItems
from state.settings import StateSettings
from state.user_state import (
    NO_BEHAVIOURS,
    NO_CART_CHANGES,
    NO_ITEMS,
    NO_PROFILE,
    NO_SEEN,
    Behaviours,
    CartChanges,
    TimedItems,
    UserState,
)

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class _RowRecord(Generic[Rows]):
    """A record of a user that consists of rows.

    name: one of `RECORDS`. field: of `UserState`. nothing: the rows of a user without the record. limit: the
    setting with the most rows. part: of these, the oldest that leave together where rows are more; 0: only
    what is too much. Who counts visits in the rows needs a part: with every visit the oldest one would leave,
    and their number would stay.
    """

    name: bytes
    field: str
    nothing: Rows
    limit: str
    part: float = 0.0


RECORDS = BEHAVIOURS, PURCHASES, IMPRESSIONS, PROFILES, FEEDBACK, SURVEYS, SEEN, CART_CHANGES = (
    b"behaviours",
    b"purchases",
    b"impressions",
    b"profiles",
    b"feedback",
    b"surveys",
    b"seen_items",
    b"cart_changes",
)
"""Names of the records, as stored; a new one comes last."""
_BEHAVIOURS = _RowRecord(BEHAVIOURS, "behaviours", NO_BEHAVIOURS, "max_behaviours")
_PURCHASES = _RowRecord(PURCHASES, "purchases", NO_ITEMS, "max_purchases")
_IMPRESSIONS = _RowRecord(IMPRESSIONS, "impressions", NO_ITEMS, "max_impressions")
_FEEDBACK = _RowRecord(FEEDBACK, "feedback", NO_BEHAVIOURS, "max_feedback")
_SURVEYS = _RowRecord(SURVEYS, "surveys", NO_BEHAVIOURS, "max_surveys")
_SEEN = _RowRecord(SEEN, "seen", NO_SEEN, "max_seen", part=0.25)
_CART_CHANGES = _RowRecord(CART_CHANGES, "cart_changes", NO_CART_CHANGES, "max_cart_changes")
# Changes of the cart come before the behaviours, from which they are made where there are none yet.
_ROW_RECORDS: tuple[_RowRecord[Any], ...] = (
    _CART_CHANGES,
    _BEHAVIOURS,
    _PURCHASES,
    _IMPRESSIONS,
    _FEEDBACK,
    _SURVEYS,
    _SEEN,
)


def records_of(code: int) -> tuple[bytes, ...]:
    """Names of the records that an event of this code changes."""
    if code == IMPRESSION:
        return (IMPRESSIONS, SEEN)
    if code in ITEM_CODES:
        return (FEEDBACK,)
    if code in SURVEY_CODES:
        return (SURVEYS,)
    if CHANGES_CART[code]:
        # Where no change of the cart was recorded yet, the behaviours say what was put into it.
        return (BEHAVIOURS, CART_CHANGES)
    if IS_CORRECTION[code]:
        return ()
    return (BEHAVIOURS, PURCHASES) if code == PURCHASE else (BEHAVIOURS,)


def rows_by_field(state: UserState) -> Iterator[tuple[str, Any]]:
    """Field of `UserState` → its rows; of all fields but the profile."""
    for record in _ROW_RECORDS:
        yield record.field, getattr(state, record.field)


class RecordReader(Protocol):
    """Records by name (one of `RECORDS`) and user hash, as of one moment."""

    def get(self, name: bytes, key: bytes) -> bytes | None:
        """The record, None where there is none."""
        ...


class RecordTransaction(RecordReader, Protocol):
    """Records inside one transaction of a store; `get` sees what was put before."""

    def put(self, name: bytes, key: bytes, record: bytes) -> None:
        """Replaces a record."""
        ...


class UserRecords:
    """Reads and writes the records of a user, each under the user's hash.

    `place` names the store in errors. Every method raises StateStoreError where a record it needs is corrupt.
    """

    def __init__(self, settings: StateSettings, place: str) -> None:
        """`settings`: bounds of the records; `place` as in the class."""
        self._settings = settings
        self._place = place

    def read(self, transaction: RecordReader, key: bytes) -> UserState:
        """Everything kept of a user."""
        profile = self._decode(transaction, PROFILES, key, decode_profile)
        rows = {record.field: self._stored(transaction, record, key) for record in _ROW_RECORDS}
        return UserState(profile=NO_PROFILE if profile is None else profile[0], **rows)

    def rows(self, transaction: RecordReader, key: bytes) -> dict[str, int]:
        """Rows of each of a user's records that is there, by its name; 1 where a record is corrupt."""
        found = {}
        for name in RECORDS:
            record = transaction.get(name, key)
            if record is not None:
                found[name.decode()] = rows_of(record)
        return found

    def add(
        self,
        transaction: RecordTransaction,
        arrivals: Arrivals,
        served: Sequence[ServedItems],
        erased_ms: Callable[[bytes], int],
    ) -> None:
        """Adds what is new in a group of events, then items that were served.

        `erased_ms(user_hash)`: unix millisecond up to which everything of the user was deleted.
        """
        for key, changes in arrivals.cart_changes.items():
            self._add(transaction, _CART_CHANGES, key, changes)
        for key, events in arrivals.by_user.items():
            self._add_events(transaction, key, events)
        for key, seen in arrivals.seen.items():
            self._add(transaction, _SEEN, key, seen)
        for note in served:
            key = user_hash(note.user_id)
            if note.ts * 1_000 > erased_ms(key):
                self._add(transaction, _IMPRESSIONS, key, note.rows())

    def put_profile(
        self, transaction: RecordTransaction, key: bytes, profile: Mapping[str, str], updated_at: int
    ) -> bool:
        """Replaces a profile unless the stored one is of a later second; returns whether it did."""
        stored = self._decode(transaction, PROFILES, key, decode_profile)
        if stored is not None and stored[1] > updated_at:
            return False
        transaction.put(PROFILES, key, encode_profile(key, profile, updated_at))
        return True

    def merge(
        self, transaction: RecordTransaction, key: bytes, past: UserState, profile_updated_at: int
    ) -> None:
        """Adds the rows of a past state that are not stored yet; at equal seconds stored rows are newer."""
        for record in _ROW_RECORDS:
            rows = getattr(past, record.field)
            if len(rows.items):
                stored = self._stored(transaction, record, key)
                kept = merge(not_in(rows, stored), stored, self._limit(record))
                transaction.put(record.name, key, encode(key, kept))
        if past.profile:
            self.put_profile(transaction, key, past.profile, profile_updated_at)

    def _add_events(self, transaction: RecordTransaction, key: bytes, rows: Behaviours) -> None:
        """Adds a user's events of any type, in reverse order of arrival.

        Corrections are left out: those of the cart are in its changes, which are added before.
        """
        code = rows.events
        shown, known = code == IMPRESSION, IS_EVENT[code]
        for timed, of_timed in ((_IMPRESSIONS, shown), (_PURCHASES, code == PURCHASE)):
            if of_timed.any():
                self._add(transaction, timed, key, TimedItems(rows.items[of_timed], rows.ts[of_timed]))
        acted = IS_HISTORY[code] & ~shown
        if acted.any():
            self._add(transaction, _BEHAVIOURS, key, rows_at(rows, acted))
        if not known.all():
            for said, of_said in ((_FEEDBACK, is_item_feedback(code)), (_SURVEYS, is_survey(code))):
                if of_said.any():
                    self._add(transaction, said, key, rows_at(rows, of_said))

    def _add(self, transaction: RecordTransaction, record: _RowRecord[Rows], key: bytes, rows: Rows) -> None:
        """Adds rows to a record, in reverse order of arrival."""
        stored, limit = self._stored(transaction, record, key), self._limit(record)
        if len(stored.items) + len(rows.items) > limit:
            limit -= int(limit * record.part)
        transaction.put(record.name, key, encode(key, merge(stored, rows, limit)))

    def _limit(self, record: _RowRecord[Any]) -> int:
        return int(getattr(self._settings, record.limit))

    def _stored(self, transaction: RecordReader, record: _RowRecord[Rows], key: bytes) -> Rows:
        """The rows of a record; what it has where a user has none yet."""
        kind = type(record.nothing)
        stored = self._decode(transaction, record.name, key, partial(decode, kind))
        if stored is not None:
            return stored
        if record.name == CART_CHANGES:
            return cast(Rows, self._cart_of_behaviours(transaction, key))
        return record.nothing

    def _cart_of_behaviours(self, transaction: RecordReader, key: bytes) -> CartChanges:
        """Of a user whose changes were never recorded: what the behaviours put into the cart."""
        behaviours = self._stored(transaction, _BEHAVIOURS, key)
        put = PUTS_IN_CART[behaviours.events]
        if not put.any():
            return NO_CART_CHANGES
        return CartChanges(
            behaviours.items[put], np.ones(np.count_nonzero(put), np.int32), behaviours.ts[put]
        )

    def _decode(
        self,
        transaction: RecordReader,
        name: bytes,
        key: bytes,
        decode: Callable[[bytes, bytes], Record],
    ) -> Record | None:
        record = transaction.get(name, key)
        if record is None:
            return None
        try:
            return decode(key, record)
        except (RecordError, msgspec.MsgspecError) as error:
            raise StateStoreError(
                f"the record of user {key.hex()} in database {name.decode()} of {self._place} is corrupt: "
                f"{error}; remove it with StateStore.delete_user"
            ) from error
