"""Groups of items whose first pictures are nearly identical."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vision.encode_pictures import EncodedPictures
from vision.fingerprint import fingerprints, groups_of
from vision.same_picture import Difference, difference, pixels_of
from vision.settings import PictureSettings


def largest_difference(settings: PictureSettings) -> Difference:
    """How much two pictures of one photograph differ at most."""
    return Difference(
        settings.largest_difference, settings.largest_patch_difference, settings.largest_colour_difference
    )


def near_identical(encoded: EncodedPictures, size: int, settings: PictureSettings) -> NDArray[np.int32]:
    """Groups of items whose first pictures are nearly identical, int32[N + 1]; 0 = alone or no picture.

    Args:
        encoded: in the order of the items.
        size: N.
        settings: the bits in which fingerprints of the features, or structures, of compared pictures differ
            at most, and how much the pictures themselves do.
    """
    shown, first = np.unique(encoded.items, return_index=True)
    groups = np.zeros(size + 1, np.int32)
    forms = (
        (fingerprints(encoded.features[first]), settings.compared_bits),
        (encoded.structures[first], settings.compared_structure_bits),
    )
    groups[shown] = groups_of(forms, PhotographComparison(encoded.copies[first], settings).same)
    return groups


@dataclass
class PhotographComparison:
    """Compares small copies of pictures, and counts how often.

    Attributes:
        copies: uint8[n, 3456] (`vision.same_picture`).
        settings: how much two may differ, and how many pairs are compared.
        asked: pairs compared so far.
    """

    copies: NDArray[np.uint8]
    settings: PictureSettings
    asked: int = field(default=0)

    def same(self, row: int, other: int) -> bool:
        """Whether two pictures are one photograph; not where too many pairs were compared before."""
        if self.asked >= self.settings.compared_pairs:
            return False
        self.asked += 1
        if (self.copies[row] == self.copies[other]).all():
            return True
        most = largest_difference(self.settings)
        pictures = pixels_of(self.copies[row]), pixels_of(self.copies[other])
        return difference(*pictures, most).within(most)
