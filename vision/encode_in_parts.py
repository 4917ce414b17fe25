"""Pictures of items encoded in ranges of items, before a build reads their features from its cache.

The build continues as if it had encoded these contents before: on many machines as on one, a content is
encoded by the same function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from models.picture_encoder import FEATURES
from snapshot.dataset import IMAGE_COLUMN
from snapshot.partition_work import Columns, PartitionWork, Range
from vision.encode_pictures import encode_pictures
from vision.encoder import Encoder
from vision.feature_cache import KEY_BYTES, FeatureCache
from vision.item_files import item_pictures
from vision.picture_records import record_of
from vision.settings import PictureSettings


@dataclass(frozen=True)
class EncodingOrder:
    """What is encoded, and by what."""

    items: Path
    """The data set's items.parquet."""
    data: Path | None
    """The folder that paths in `image` start at."""
    encoder: Callable[[], Encoder]
    """Opens the encoder, in the process that encodes."""
    settings: PictureSettings


def encode_in_parts(size: int, order: EncodingOrder, cache: FeatureCache, work: PartitionWork) -> int:
    """Encodes every picture of the items that the cache does not have, and puts its record there.

    Args:
        size: N.
        order: what is encoded.
        cache: of the encoder.
        work: where ranges of items are encoded.

    Returns:
        How many contents were encoded now.
    """
    images = pl.scan_parquet(order.items).select("item", pl.col(IMAGE_COLUMN).is_not_null()).collect()
    load = np.zeros(size + 1)
    load[images["item"].to_numpy()] = images[IMAGE_COLUMN].to_numpy()
    known = np.frombuffer(b"".join(sorted(cache.keys())), np.uint8)
    encoded = 0
    for part in work.over_ranges("pictures", encoded_contents, load, order, {"known": known}):
        records = part["records"].view(cache.record).ravel()
        keys = [key.tobytes() for key in part["keys"]]
        cache.write(dict(zip(keys, records, strict=True)))
        encoded += len(keys)
    return encoded


def encoded_contents(items: Range, order: EncodingOrder, columns: Columns) -> Columns:
    """Encodes the pictures of a range of items whose contents are not `known` (uint8, key after key).

    Returns:
        keys uint8[n, 16] and records uint8[n, bytes], as the cache keeps them; pictures that cannot be used
        have none.
    """
    table = (
        pl.scan_parquet(order.items)
        .filter(pl.col("item").is_between(items[0], items[1] - 1))
        .select("item", IMAGE_COLUMN)
        .collect()
    )
    known = columns["known"].tobytes()
    kept = {known[at : at + KEY_BYTES] for at in range(0, len(known), KEY_BYTES)}
    records = NewRecords(frozenset(kept))
    settings = order.settings
    pictures = item_pictures(table, order.data, settings.per_item, settings.limits)
    encode_pictures(pictures, order.encoder(), records, settings.limits, settings.batch, lambda done: None)
    keys = np.frombuffer(b"".join(records.made), np.uint8).reshape(-1, KEY_BYTES)
    rows = np.array(list(records.made.values()), records.record)
    return {"keys": keys, "records": rows.view(np.uint8).reshape(len(rows), records.record.itemsize)}


@dataclass
class NewRecords:
    """Records made in one process, beside keys of which others have a record."""

    known: frozenset[bytes]
    made: dict[bytes, np.void] = field(default_factory=dict)

    @property
    def record(self) -> np.dtype[np.void]:
        """The type of a record."""
        return record_of(FEATURES)

    def read(self, keys: Sequence[bytes]) -> dict[bytes, np.void]:
        """Records of `made`, and empty ones of `known`, of those of `keys` that there are."""
        empty = np.zeros(1, self.record)[0]
        return {key: self.made.get(key, empty) for key in keys if key in self.made or key in self.known}

    def write(self, records: Mapping[bytes, np.void]) -> None:
        """Adds records to `made`."""
        self.made |= records
