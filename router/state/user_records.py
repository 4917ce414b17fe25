"""The records of users inside an LMDB transaction: reading, adding events, merging the past."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import lmdb
import msgspec

from router.state.errors import StateError
from router.state.lmdb_environment import Database, get
from router.state.records import (
    RecordError,
    behaviours_not_in,
    decode_behaviours,
    decode_items,
    decode_profile,
    encode_behaviours,
    encode_items,
    encode_profile,
    items_not_in,
    merge_behaviours,
    merge_items,
)
from router.state.settings import StateSettings
from router.state.user_state import NO_BEHAVIOURS, NO_ITEMS, NO_PROFILE, Behaviours, TimedItems, UserState
from snapshot.event_codes import IMPRESSION, PURCHASE

Record = TypeVar("Record")

RECORD_DATABASES = (b"behaviours", b"purchases", b"impressions", b"profiles")


def user_hash(user_id: str) -> bytes:
    """16-byte BLAKE2b of a user id: the key of the user's records, named in errors as hexadecimal."""
    return blake2b(user_id.encode(), digest_size=16).digest()


class UserRecords:
    """Reads and writes the four records of a user, each under the user's hash.

    Every method raises StateError where a record it needs is corrupt.
    """

    def __init__(self, databases: Mapping[bytes, Database], settings: StateSettings, folder: Path) -> None:
        self._behaviours, self._purchases, self._impressions, self._profiles = (
            databases[name] for name in RECORD_DATABASES
        )
        self._settings = settings
        self._folder = folder

    def read(self, transaction: lmdb.Transaction, key: bytes) -> UserState:
        """Everything kept of a user."""
        profile = self._decode(transaction, self._profiles, "profiles", key, decode_profile)
        return UserState(
            behaviours=self._stored_behaviours(transaction, key),
            purchases=self._stored_purchases(transaction, key),
            impressions=self._stored_impressions(transaction, key),
            profile=NO_PROFILE if profile is None else profile[0],
        )

    def add_events(self, transaction: lmdb.Transaction, key: bytes, rows: Behaviours) -> None:
        """Adds a user's events of any type, impressions among them, given in reverse order of arrival."""
        shown = rows.events == IMPRESSION
        if shown.any():
            self.add_impressions(transaction, key, TimedItems(rows.items[shown], rows.ts[shown]))
            acted = ~shown
            if not acted.any():
                return
            rows = Behaviours(rows.items[acted], rows.events[acted], rows.ts[acted])
        behaviours = merge_behaviours(
            self._stored_behaviours(transaction, key), rows, self._settings.max_behaviours
        )
        transaction.put(key, encode_behaviours(key, behaviours), db=self._behaviours)
        bought = rows.events == PURCHASE
        if bought.any():
            purchases = merge_items(
                self._stored_purchases(transaction, key),
                TimedItems(rows.items[bought], rows.ts[bought]),
                self._settings.max_purchases,
            )
            transaction.put(key, encode_items(key, purchases), db=self._purchases)

    def add_impressions(self, transaction: lmdb.Transaction, key: bytes, rows: TimedItems) -> None:
        """Adds items shown to a user, given in reverse order of arrival."""
        impressions = merge_items(
            self._stored_impressions(transaction, key), rows, self._settings.max_impressions
        )
        transaction.put(key, encode_items(key, impressions), db=self._impressions)

    def put_profile(
        self, transaction: lmdb.Transaction, key: bytes, profile: Mapping[str, str], updated_at: int
    ) -> bool:
        """Replaces a profile unless the stored one is of a later second; returns whether it did."""
        stored = self._decode(transaction, self._profiles, "profiles", key, decode_profile)
        if stored is not None and stored[1] > updated_at:
            return False
        transaction.put(key, encode_profile(key, profile, updated_at), db=self._profiles)
        return True

    def merge(
        self, transaction: lmdb.Transaction, key: bytes, past: UserState, profile_updated_at: int
    ) -> None:
        """Adds the rows of a past state that are not stored yet; at equal seconds stored rows are newer."""
        limits = self._settings
        if len(past.behaviours.items):
            behaviours = self._stored_behaviours(transaction, key)
            added = behaviours_not_in(past.behaviours, behaviours)
            merged = merge_behaviours(added, behaviours, limits.max_behaviours)
            transaction.put(key, encode_behaviours(key, merged), db=self._behaviours)
        if len(past.purchases.items):
            purchases = self._stored_purchases(transaction, key)
            kept = merge_items(items_not_in(past.purchases, purchases), purchases, limits.max_purchases)
            transaction.put(key, encode_items(key, kept), db=self._purchases)
        if len(past.impressions.items):
            impressions = self._stored_impressions(transaction, key)
            kept = merge_items(
                items_not_in(past.impressions, impressions), impressions, limits.max_impressions
            )
            transaction.put(key, encode_items(key, kept), db=self._impressions)
        if past.profile:
            self.put_profile(transaction, key, past.profile, profile_updated_at)

    def delete(self, transaction: lmdb.Transaction, key: bytes) -> bool:
        """Removes a user's records, readable or not; returns whether there was any."""
        databases = (self._behaviours, self._purchases, self._impressions, self._profiles)
        found = [transaction.delete(key, db=database) for database in databases]
        return any(found)

    def _stored_behaviours(self, transaction: lmdb.Transaction, key: bytes) -> Behaviours:
        found = self._decode(transaction, self._behaviours, "behaviours", key, decode_behaviours)
        return found or NO_BEHAVIOURS

    def _stored_purchases(self, transaction: lmdb.Transaction, key: bytes) -> TimedItems:
        return self._decode(transaction, self._purchases, "purchases", key, decode_items) or NO_ITEMS

    def _stored_impressions(self, transaction: lmdb.Transaction, key: bytes) -> TimedItems:
        return self._decode(transaction, self._impressions, "impressions", key, decode_items) or NO_ITEMS

    def _decode(
        self,
        transaction: lmdb.Transaction,
        database: Database,
        name: str,
        key: bytes,
        decode: Callable[[bytes, bytes], Record],
    ) -> Record | None:
        record = get(transaction, key, database)
        if record is None:
            return None
        try:
            return decode(key, record)
        except (RecordError, msgspec.MsgspecError) as error:
            raise StateError(
                f"the record of user {key.hex()} in database {name} of {self._folder} is corrupt: {error}; "
                "remove it with StateStore.delete_user"
            ) from error
