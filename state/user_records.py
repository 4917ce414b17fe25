"""The records of users inside a transaction of any store: reading, adding events, merging the past."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from snapshot.event_codes import (
    CART_CODES,
    CHANGES_CART,
    IMPRESSION,
    IS_CORRECTION,
    IS_HISTORY,
    PURCHASE,
)
from state.errors import RecordError, StateStoreError
from state.feedback_codes import ITEM_CODES, SURVEY_CODES, is_item_feedback, is_survey
from state.records import (
    behaviours_not_in,
    cart_changes_not_in,
    decode_behaviours,
    decode_cart_changes,
    decode_items,
    decode_profile,
    decode_seen,
    encode_behaviours,
    encode_cart_changes,
    encode_items,
    encode_profile,
    encode_seen,
    items_not_in,
    merge_behaviours,
    merge_cart_changes,
    merge_items,
    merge_seen,
    rows_of,
    seen_not_in,
)
from state.settings import StateSettings
from state.user_state import (
    NO_BEHAVIOURS,
    NO_CART_CHANGES,
    NO_ITEMS,
    NO_PROFILE,
    NO_SEEN,
    Behaviours,
    CartChanges,
    SeenItems,
    TimedItems,
    UserState,
)

Record = TypeVar("Record")

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
        return UserState(
            behaviours=self._stored_behaviours(transaction, key),
            purchases=self._stored_purchases(transaction, key),
            impressions=self._stored_impressions(transaction, key),
            profile=NO_PROFILE if profile is None else profile[0],
            feedback=self._stored_rows(transaction, FEEDBACK, key),
            surveys=self._stored_rows(transaction, SURVEYS, key),
            seen=self._stored_seen(transaction, key),
            cart_changes=self._stored_cart_changes(transaction, key),
        )

    def rows(self, transaction: RecordReader, key: bytes) -> dict[str, int]:
        """Rows of each of a user's records that is there, by its name; 1 where a record is corrupt."""
        found = {}
        for name in RECORDS:
            record = transaction.get(name, key)
            if record is not None:
                found[name.decode()] = rows_of(record)
        return found

    def add_events(self, transaction: RecordTransaction, key: bytes, rows: Behaviours) -> None:
        """Adds a user's events of any type, impressions among them, given in reverse order of arrival.

        Corrections are left out: those of the cart are added by `add_cart_changes`, which comes first.
        """
        corrections = IS_CORRECTION[rows.events]
        if corrections.any():
            rows = _rows_at(rows, ~corrections)
            if corrections.all():
                return
        shown = rows.events == IMPRESSION
        if shown.any():
            self.add_impressions(transaction, key, TimedItems(rows.items[shown], rows.ts[shown]))
            acted = ~shown
            if not acted.any():
                return
            rows = _rows_at(rows, acted)
        said = ~IS_HISTORY[rows.events]
        if said.any():
            self._add_said(transaction, key, _rows_at(rows, said))
            if said.all():
                return
            rows = _rows_at(rows, ~said)
        behaviours = merge_behaviours(
            self._stored_behaviours(transaction, key), rows, self._settings.max_behaviours
        )
        transaction.put(BEHAVIOURS, key, encode_behaviours(key, behaviours))
        bought = rows.events == PURCHASE
        if bought.any():
            purchases = merge_items(
                self._stored_purchases(transaction, key),
                TimedItems(rows.items[bought], rows.ts[bought]),
                self._settings.max_purchases,
            )
            transaction.put(PURCHASES, key, encode_items(key, purchases))

    def _add_said(self, transaction: RecordTransaction, key: bytes, rows: Behaviours) -> None:
        for name, of_record, limit in (
            (FEEDBACK, is_item_feedback(rows.events), self._settings.max_feedback),
            (SURVEYS, is_survey(rows.events), self._settings.max_surveys),
        ):
            if of_record.any():
                stored = self._stored_rows(transaction, name, key)
                merged = merge_behaviours(stored, _rows_at(rows, of_record), limit)
                transaction.put(name, key, encode_behaviours(key, merged))

    def add_cart_changes(self, transaction: RecordTransaction, key: bytes, rows: CartChanges) -> None:
        """Adds changes of a user's cart, given in reverse order of arrival; before `add_events`."""
        changes = merge_cart_changes(
            self._stored_cart_changes(transaction, key), rows, self._settings.max_cart_changes
        )
        transaction.put(CART_CHANGES, key, encode_cart_changes(key, changes))

    def add_impressions(self, transaction: RecordTransaction, key: bytes, rows: TimedItems) -> None:
        """Adds items shown to a user, given in reverse order of arrival."""
        impressions = merge_items(
            self._stored_impressions(transaction, key), rows, self._settings.max_impressions
        )
        transaction.put(IMPRESSIONS, key, encode_items(key, impressions))

    def add_seen(self, transaction: RecordTransaction, key: bytes, rows: SeenItems) -> None:
        """Adds items that a user saw, given in reverse order of arrival."""
        seen = merge_seen(self._stored_seen(transaction, key), rows, self._settings.max_seen)
        transaction.put(SEEN, key, encode_seen(key, seen))

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
        limits = self._settings
        if len(past.cart_changes.items):
            changes = self._stored_cart_changes(transaction, key)
            added_changes = cart_changes_not_in(past.cart_changes, changes)
            kept_changes = merge_cart_changes(added_changes, changes, limits.max_cart_changes)
            transaction.put(CART_CHANGES, key, encode_cart_changes(key, kept_changes))
        if len(past.behaviours.items):
            behaviours = self._stored_behaviours(transaction, key)
            added = behaviours_not_in(past.behaviours, behaviours)
            merged = merge_behaviours(added, behaviours, limits.max_behaviours)
            transaction.put(BEHAVIOURS, key, encode_behaviours(key, merged))
        if len(past.purchases.items):
            purchases = self._stored_purchases(transaction, key)
            kept = merge_items(items_not_in(past.purchases, purchases), purchases, limits.max_purchases)
            transaction.put(PURCHASES, key, encode_items(key, kept))
        if len(past.impressions.items):
            impressions = self._stored_impressions(transaction, key)
            kept = merge_items(
                items_not_in(past.impressions, impressions), impressions, limits.max_impressions
            )
            transaction.put(IMPRESSIONS, key, encode_items(key, kept))
        for name, said, limit in (
            (FEEDBACK, past.feedback, limits.max_feedback),
            (SURVEYS, past.surveys, limits.max_surveys),
        ):
            if len(said.items):
                rows = self._stored_rows(transaction, name, key)
                added = behaviours_not_in(said, rows)
                transaction.put(name, key, encode_behaviours(key, merge_behaviours(added, rows, limit)))
        if len(past.seen.items):
            seen = self._stored_seen(transaction, key)
            kept_seen = merge_seen(seen_not_in(past.seen, seen), seen, limits.max_seen)
            transaction.put(SEEN, key, encode_seen(key, kept_seen))
        if past.profile:
            self.put_profile(transaction, key, past.profile, profile_updated_at)

    def _stored_behaviours(self, transaction: RecordReader, key: bytes) -> Behaviours:
        return self._stored_rows(transaction, BEHAVIOURS, key)

    def _stored_cart_changes(self, transaction: RecordReader, key: bytes) -> CartChanges:
        """The recorded changes; of a user of before there were any, what the behaviours put into the cart."""
        stored = self._decode(transaction, CART_CHANGES, key, decode_cart_changes)
        if stored is not None:
            return stored
        behaviours = self._stored_behaviours(transaction, key)
        put = np.isin(behaviours.events, CART_CODES)
        if not put.any():
            return NO_CART_CHANGES
        return CartChanges(
            behaviours.items[put], np.ones(np.count_nonzero(put), np.int32), behaviours.ts[put]
        )

    def _stored_rows(self, transaction: RecordReader, name: bytes, key: bytes) -> Behaviours:
        return self._decode(transaction, name, key, decode_behaviours) or NO_BEHAVIOURS

    def _stored_purchases(self, transaction: RecordReader, key: bytes) -> TimedItems:
        return self._decode(transaction, PURCHASES, key, decode_items) or NO_ITEMS

    def _stored_impressions(self, transaction: RecordReader, key: bytes) -> TimedItems:
        return self._decode(transaction, IMPRESSIONS, key, decode_items) or NO_ITEMS

    def _stored_seen(self, transaction: RecordReader, key: bytes) -> SeenItems:
        return self._decode(transaction, SEEN, key, decode_seen) or NO_SEEN

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


def _rows_at(rows: Behaviours, chosen: np.ndarray) -> Behaviours:
    """The rows where bool[n] `chosen` is true."""
    return Behaviours(rows.items[chosen], rows.events[chosen], rows.ts[chosen])
