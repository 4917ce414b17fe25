"""Sorts the events of a group of batches by user, without events that were sent before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from snapshot.tombstones import user_hash
from state.event_batch import EventBatch
from state.user_state import Behaviours, CartChanges, SeenItems


def event_digest(event_id: str) -> bytes:
    """16-byte BLAKE2b of an event id: what is remembered of it to recognise it when sent again."""
    return blake2b(event_id.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What is new in a group of batches.

    `rows`: positions of each batch's new events, in order of arrival; `by_user`: user hash → the user's new
    events in reverse order of arrival; `seen`: those of them that say what was seen, of users with some;
    `cart_changes`: those of them that change the cart, likewise; `stored` new events and `repeated` ones,
    those of before a deletion among the latter.
    """

    rows: Sequence[Sequence[int]]
    by_user: dict[bytes, Behaviours]
    seen: dict[bytes, SeenItems]
    cart_changes: dict[bytes, CartChanges]
    stored: int
    repeated: int


def sort_arrivals(
    batches: Sequence[EventBatch],
    is_new: Callable[[bytes, str], bool],
    erased_ms: Callable[[bytes], int],
) -> Arrivals:
    """The new events of batches that arrived in this order.

    `erased_ms(user_hash)` is the unix millisecond up to which everything of the user was deleted, below 0
    where nothing was: events of before are not new, whenever they arrive.

    `is_new(user_hash, event_id)` is called once for each event with an id, in order of arrival, and must
    return False when called again for an event that it returned True for.
    """
    hashes: dict[str, bytes] = {}
    arrivals: dict[bytes, list[int]] = {}
    new_rows: list[list[int]] = []
    offset = 0
    for batch in batches:
        rows: list[int] = []
        for row, event in enumerate(batch.rows):
            key = hashes.get(event.user_id)
            if key is None:
                key = hashes[event.user_id] = user_hash(event.user_id)
            if event.timestamp_ms <= erased_ms(key):
                continue
            if event.event_id and not is_new(key, event.event_id):
                continue
            rows.append(row)
            arrivals.setdefault(key, []).append(offset + row)
        new_rows.append(rows)
        offset += len(batch)
    stored = sum(map(len, new_rows))
    if not stored:
        return Arrivals(new_rows, {}, {}, {}, 0, offset)
    items = np.concatenate([batch.item_keys for batch in batches])
    events = np.concatenate([batch.events for batch in batches])
    ts = np.concatenate([batch.timestamps_ms // 1000 for batch in batches])
    seen_in = np.concatenate([batch.seen_in for batch in batches])
    pieces = np.concatenate([batch.cart_pieces for batch in batches])
    changes_cart = np.concatenate([batch.changes_cart for batch in batches])
    by_user, seen, cart_changes = {}, {}, {}
    for key, positions in arrivals.items():
        newest_first = np.array(positions[::-1], np.intp)
        by_user[key] = Behaviours(items[newest_first], events[newest_first], ts[newest_first])
        shown = newest_first[seen_in[newest_first] > 0]
        if shown.size:
            seen[key] = SeenItems(items[shown], seen_in[shown], ts[shown])
        changing = newest_first[changes_cart[newest_first]]
        if changing.size:
            cart_changes[key] = CartChanges(items[changing], pieces[changing], ts[changing])
    return Arrivals(new_rows, by_user, seen, cart_changes, stored, offset - stored)
