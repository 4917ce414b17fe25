"""Whether two pictures are one photograph, one of them cropped, marked, compressed, scaled or recoloured.

Small copies of both are laid over each other, whole on whole and whole on every part that a crop may have
left, each channel brought to one brightness. What differs then, where it differs least but for a band, is the
difference. Goods of one cut differ little too, so it decides only where codes already say that two pictures
are much alike.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
_BAND = 5
"""Rows or columns of a small copy that may differ in any way: a mark over a tenth of it, and its edges."""
_PARTS = {1.0: 1, 0.925: 4, 0.85: 6}
"""Sides of the parts that a crop may have left, and how many places of each are tried along an axis."""
_STEP = 0.01
_NEAR = 0.2
"""Difference up to which the best place is looked for more closely."""
_DARK = 8.0
_GAINS = (0.85, 1.18)
_NOISE = 4.0
"""Squared difference per pixel that noise makes, which keeps blank pictures apart from none."""

Copies = NDArray[np.float32]


def small_copy(image: Image.Image) -> Copies:
    """float32[32, 32, 3] of an RGB picture, stretched to a square."""
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def difference(first: Copies, second: Copies) -> float:
    """How much two small copies differ at best, as a part of what is in them; 0 for equal ones.

    Either may be the crop of the other.
    """
    return min(_laid_over(first, second), _laid_over(second, first))


def _laid_over(whole: Copies, part: Copies) -> float:
    """The least difference of `part` from a part of `whole`, over all places."""
    content = max(_content(part), _content(whole) / 2)
    down, across = _places()
    found = _differences(_cut(whole, down, across), part)
    best = int(np.argmin(found))
    least = float(found[best]) / content
    if best == 0 or least > _NEAR:
        return least
    closer = _differences(_cut(whole, *_around(best)), part)
    return min(least, float(closer.min()) / content)


def _content(picture: Copies) -> float:
    """What is in a picture: the sum of squared distances from its usual colour, without a band's share."""
    away = ((picture - np.median(picture.reshape(-1, 3), axis=0)) ** 2).mean(axis=2).sum()
    return float(away * (SIDE - _BAND) / SIDE + SIDE * SIDE * _NOISE)


def _differences(parts: Copies, picture: Copies) -> NDArray[np.float32]:
    """float32[h]: squared differences of float32[h, 32, 32, 3] from a picture but for the worst band."""
    gains = np.clip(np.median((picture + _DARK) / (parts + _DARK), axis=(1, 2)), *_GAINS)
    squares = ((parts * gains[:, None, None] - picture) ** 2).mean(axis=3)
    sums = [np.partition(squares.sum(axis=axis), SIDE - _BAND, axis=1) for axis in (1, 2)]
    return np.asarray(np.min([each[:, : SIDE - _BAND].sum(axis=1) for each in sums], axis=0))


def _cut(whole: Copies, down: Copies, across: Copies) -> Copies:
    """float32[h, 32, 32, 3]: parts of a picture, by matrices float32[h, 32, 32] of rows and of columns."""
    rows = np.tensordot(down, whole, axes=(2, 0))
    return np.asarray(np.einsum("hkl,hilc->hikc", across, rows, optimize=True), np.float32)


@cache
def _corners() -> tuple[tuple[float, float, float], ...]:
    """Side, upper and left edge of every part; the whole comes first."""
    edges = {side: np.linspace(0, 1 - side, count).tolist() for side, count in _PARTS.items()}
    return tuple((side, top, left) for side in edges for top in edges[side] for left in edges[side])


@cache
def _places() -> tuple[Copies, Copies]:
    parts = _corners()
    down, across = (np.stack([_window(part[edge], part[0]) for part in parts]) for edge in (1, 2))
    return down, across


@cache
def _around(part: int) -> tuple[Copies, Copies]:
    """As `_places`, for parts a little above, below, beside, larger and smaller than one."""
    side, top, left = _corners()[part]
    down, across = [], []
    for wider in (-_STEP, 0.0, _STEP):
        for below in np.arange(-2, 3) * _STEP:
            for right in np.arange(-2, 3) * _STEP:
                size = min(side + wider, 1.0)
                down.append(_window(min(max(top + below - wider / 2, 0), 1 - size), size))
                across.append(_window(min(max(left + right - wider / 2, 0), 1 - size), size))
    return np.stack(down), np.stack(across)


def _window(start: float, size: float) -> Copies:
    """float32[32, 32]: takes the rows of a copy to those of its part from `start` on, interpolated."""
    middles = (start + size * (np.arange(SIDE) + 0.5) / SIDE) * SIDE - 0.5
    below = np.floor(middles).astype(np.int64)
    made = np.zeros((SIDE, SIDE), np.float32)
    rows = np.arange(SIDE)
    for offset, weight in ((0, 1 - (middles - below)), (1, middles - below)):
        np.add.at(made, (rows, np.clip(below + offset, 0, SIDE - 1)), weight.astype(np.float32))
    return made
