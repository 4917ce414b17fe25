"""The look of a picture: the encoder's features, and its colours beside them, as a space compares them.

Colours are counted in the small copy that is kept of every picture (`vision.picture_records`), so that what
is kept of it, and what else is made of its features, does not depend on them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recall.picture_space import PictureSpace
from vision.colours import COLOURS, colours_of


def make_looks(
    features: NDArray[np.float32], copies: NDArray[np.uint8], colours: int, weight: float = 1.0
) -> NDArray[np.float32]:
    """Looks float32[n, F + C] of pictures.

    Args:
        features: float32[n, F].
        copies: uint8[n, 3456] (`vision.same_picture.small_copy`).
        colours: C, of the space: 128 or 0.
        weight: of the colours.
    """
    if not colours:
        return features
    return np.concatenate((features, np.float32(weight) * colours_of(copies)), axis=1)


def of_unweighted_looks(space: PictureSpace, features: int, weight: float) -> PictureSpace:
    """The same space for looks whose colours were not multiplied by a weight.

    Args:
        space: fitted to looks with `weight`.
        features: F.
        weight: of the colours in the looks that it was fitted to; unused where it was fitted to none.
    """
    colours = len(space.centre) - features
    scale = np.concatenate((np.ones(features), np.full(colours, weight))).astype(np.float32)
    return replace(space, centre=space.centre / scale, matrix=space.matrix * scale[:, None], colours=colours)


def knows_colours(space: PictureSpace) -> bool:
    """Whether the colours of a space, if it has any, are those that this program counts."""
    return space.colours in (0, COLOURS)
