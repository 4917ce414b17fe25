"""What arrived and was deleted while the shop was open, put together with the pictures of its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snapshot.catalogue import Catalogue
from snapshot.columns import rows_between
from state.picture_changes import ALL_CONTENTS, PictureChange
from vision.encode_pictures import EncodedPictures
from vision.picture_records import content_numbers, decode_record, record_of


@dataclass(frozen=True)
class Received:
    """Changes in the terms of a data set.

    Attributes:
        changes: in their order, of known items: (item, change).
        revision: of the last, whether its item is known or not.
        unknown: pictures of items that the data set lacks; they wait for it.
    """

    changes: tuple[tuple[int, PictureChange], ...] = ()
    revision: int = 0
    unknown: int = 0


NOTHING_RECEIVED = Received()


def received_of(changes: Iterable[PictureChange], catalogue: Catalogue) -> Received:
    """Changes, ordered by their revisions, of the items of a catalogue."""
    listed = list(changes)
    items = catalogue.dense_from_keys(np.array([change.item for change in listed], np.uint64)).tolist()
    known = tuple((item, change) for item, change in zip(items, listed, strict=True) if item)
    unknown = sum(change.record is not None for change in listed) - sum(
        change.record is not None for _, change in known
    )
    return Received(known, listed[-1].revision if listed else 0, unknown)


@dataclass(frozen=True)
class Folded:
    """Pictures after the changes. `put` arrived, `deleted` were of files, `foreign` are of other encoders."""

    pictures: EncodedPictures
    put: int = 0
    deleted: int = 0
    foreign: int = 0


def fold(encoded: EncodedPictures, received: Received, maker: bytes) -> Folded:
    """The pictures of the files and those that arrived, without those that were deleted, by item.

    What was deleted stays deleted whatever the files say, until it is put again. An item's pictures of files
    come before those that arrived.

    Args:
        encoded: of the files, in the order of the items.
        received: what changed.
        maker: names the encoder; pictures of another are left out.
    """
    alive = np.ones(len(encoded.items), np.bool_)
    rows_of: dict[int, NDArray[np.int64]] = {}
    put: dict[int, dict[bytes, np.void]] = {}
    features, foreign = encoded.features.shape[1], 0
    for item, change in received.changes:
        if item not in rows_of:
            own = rows_between(encoded.items, item, item + 1)
            rows_of[item] = np.arange(own.start, own.stop)
        rows = rows_of[item]
        if change.record is None and change.content == ALL_CONTENTS:
            alive[rows] = False
            put.pop(item, None)
            continue
        same = rows[(encoded.contents[rows] == content_numbers([change.content])).all(axis=1)]
        if change.record is None:
            alive[same] = False
            put.get(item, {}).pop(change.content, None)
        elif (record := decode_record(change.record, maker, features)) is None:
            foreign += 1
        elif not alive[same].any():
            put.setdefault(item, {})[change.content] = record
    added = [(item, *pair) for item, records in put.items() for pair in records.items()]
    if not added and alive.all():
        return Folded(encoded, foreign=foreign)
    items = np.concatenate((encoded.items[alive], np.array([item for item, _, _ in added], np.int32)))
    records = np.array([record for _, _, record in added], record_of(features))
    order = np.argsort(items, kind="stable")
    folded = replace(
        encoded,
        items=items[order],
        features=np.concatenate((encoded.features[alive], records["features"].astype(np.float32)))[order],
        structures=np.concatenate((encoded.structures[alive], records["structure"]))[order],
        copies=np.concatenate((encoded.copies[alive], records["copy"]))[order],
        contents=np.concatenate(
            (encoded.contents[alive], content_numbers([content for _, content, _ in added]))
        )[order],
    )
    return Folded(folded, len(added), int(np.count_nonzero(~alive)), foreign)
