"""Groups of items whose first pictures are nearly identical."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vision.decode import PictureRefused, decode
from vision.encode_pictures import EncodedPictures
from vision.feature_cache import content_key
from vision.fingerprint import Same, fingerprints, groups_of
from vision.item_files import item_pictures
from vision.picture_records import content_numbers
from vision.same_picture import SIDE, difference, small_copy
from vision.settings import PictureSettings


def near_identical(
    encoded: EncodedPictures, size: int, settings: PictureSettings, same: Same | None = None
) -> NDArray[np.int32]:
    """Groups of items whose first pictures are nearly identical, int32[N + 1]; 0 = alone or no picture.

    Args:
        encoded: in the order of the items.
        size: N.
        settings: the bits in which fingerprints of the features or structures differ at most, and up to which
            pictures are looked at.
        same: whether the pictures at rows of the items with one, first to last, are one photograph; None:
            none are looked at.
    """
    shown, first = np.unique(encoded.items, return_index=True)
    groups = np.zeros(size + 1, np.int32)
    forms = (
        (fingerprints(encoded.features[first]), settings.identical_bits),
        (encoded.structures[first], settings.structure_bits),
    )
    groups[shown] = groups_of(forms, (settings.doubtful_bits, settings.doubtful_structure_bits), same)
    return groups


@dataclass
class PhotographComparison:
    """Looks at the files again of items whose first pictures may be one photograph.

    Attributes:
        items: item int32 (1…N), `image`.
        data: the folder that paths in `image` start at; None where there is none.
        settings: what a picture may be, how much two may differ, and how many pairs are looked at.
        shown: int32[m], items with a picture, ascending.
        contents: uint64[m, 2], what names the first picture of each.
        asked: pairs looked at so far.
    """

    items: pl.DataFrame
    data: Path | None
    settings: PictureSettings
    shown: NDArray[np.int32]
    contents: NDArray[np.uint64]
    asked: int = field(default=0)

    @classmethod
    def of(
        cls, encoded: EncodedPictures, items: pl.DataFrame, data: Path | None, settings: PictureSettings
    ) -> PhotographComparison:
        """Of the first pictures of encoded items."""
        shown, first = np.unique(encoded.items, return_index=True)
        return cls(items, data, settings, shown.astype(np.int32), encoded.contents[first])

    def same(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each two show one photograph, bool[m]; not where a file is gone, or too many were asked.

        A picture that arrived while the shop was open has no file.
        """
        found = np.zeros(len(rows), np.bool_)
        left = max(0, self.settings.compared_pairs - self.asked)
        rows, others = rows[:left], others[:left]
        self.asked += len(rows)
        copies = self._copies(np.union1d(rows, others))
        for at, (row, other) in enumerate(zip(rows.tolist(), others.tolist(), strict=True)):
            if row in copies and other in copies:
                pair = (copies[each].astype(np.float32) for each in (row, other))
                found[at] = difference(*pair) <= self.settings.largest_difference
        return found

    def _copies(self, rows: NDArray[np.int64]) -> dict[int, NDArray[np.uint8]]:
        """Small copies uint8[32, 32, 3] by row, of those whose picture is still what was encoded."""
        row_of = {int(self.shown[row]): int(row) for row in rows}
        table = self.items.filter(pl.col("item").is_in(list(row_of)))
        copies: dict[int, NDArray[np.uint8]] = {}
        for picture in item_pictures(table, self.data, self.settings.per_item, self.settings.limits):
            row = row_of[picture.item]
            if picture.missing or row in copies:
                continue
            (content,) = content_numbers([content_key(picture.content)])
            if (content != self.contents[row]).any():
                continue
            try:
                image = decode(picture.content, self.settings.limits, 2 * SIDE)
            except PictureRefused:
                continue
            copies[row] = np.round(small_copy(image)).astype(np.uint8)
        return copies
