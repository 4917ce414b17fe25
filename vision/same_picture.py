"""Whether two pictures are one photograph, one of them cropped, marked, compressed, scaled or recoloured.

A small copy of one is laid over the best part of the other, found in two steps: all parts that a crop may
have left are tried coarsely, and the best of them are moved by Gauss-Newton steps to a hundredth of a pixel
(Lucas and Kanade, "An iterative image registration technique", IJCAI 1981), each channel brought to one
brightness and pixels that do not fit weighed down. What is left is noise where both are one photograph: a
part found only to a pixel would leave the edges, which are most of what two goods of one cut differ in.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision.picture_records import COLOUR_SIDE, LIGHT_SIDE
from vision.square import WHOLE, Box

_SIDE, _COARSE = 32, 16
"""Rows and columns in which parts are compared, at last and at first."""
_BAND = 6
"""Rows of 32 that a mark over a tenth of a picture, and its edges, cover."""
_MARKED, _SEEN = 0.95, 3.0
"""A band is a mark where this share of its length differs by so many levels: a thing ends before edges."""
_PATCH = 4
"""Rows and columns of a patch."""
_PARTS = {1.0: 1, 0.925: 4, 0.85: 6}
"""Sides of the parts that a crop may have left, and how many places of each are tried along an axis."""
_STARTS, _STEPS, _LONGEST_STEP, _SETTLED = 2, 6, 0.04, 3e-4
_SMALLEST, _BEYOND = 0.78, 0.01
"""Least side of a part, and how far it may reach beyond the picture."""
_FAR = 20.0
"""Coarse difference from which on nothing is looked at more closely; copies differ by 14 at most."""
_GAINS = (0.88, 1.14)
"""By how much a channel of a recoloured copy may be brighter."""
_DARK, _WHITE = 8.0, 245.0

Pixels = NDArray[np.float32]


class Difference(NamedTuple):
    """What is left between two pictures at their best fit, root mean squares of levels of 0 … 255.

    Attributes:
        whole: of all places, but for a marked band.
        patch: of the worst of 8 × 8 patches, but for that band.
        colour: of the mean colours of the worst patch for these: what noise and blur leave alone.
    """

    whole: float
    patch: float
    colour: float

    def within(self, most: Difference) -> bool:
        """Whether no figure is above that of `most`."""
        return all(mine <= other for mine, other in zip(self, most, strict=True))


def small_copy(image: Image.Image, box: Box = WHOLE) -> NDArray[np.uint8]:
    """uint8[3456] of the box of an RGB picture, stretched to a square."""
    stretched = image.resize(
        (LIGHT_SIDE, LIGHT_SIDE), Image.Resampling.BICUBIC, box=box.of(*image.size), reducing_gap=3.0
    )
    light, *colours = stretched.convert("YCbCr").split()
    small = [each.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX) for each in colours]
    return np.concatenate([np.asarray(each, np.uint8).ravel() for each in (light, *small)])


def pixels_of(copy: NDArray[np.uint8]) -> Pixels:
    """float32[48, 48, 3], the RGB levels of a small copy uint8[3456]."""
    ends = (LIGHT_SIDE**2, LIGHT_SIDE**2 + COLOUR_SIDE**2)
    light, *colours = np.split(copy, ends)
    planes = [light.reshape(LIGHT_SIDE, LIGHT_SIDE)]
    for each in colours:
        plane = Image.fromarray(each.reshape(COLOUR_SIDE, COLOUR_SIDE))
        planes.append(np.asarray(plane.resize((LIGHT_SIDE, LIGHT_SIDE), Image.Resampling.BILINEAR)))
    luma, blue, red = (plane.astype(np.float32) for plane in planes)
    # ITU-R BT.601 without head room, as JPEG has it.
    blue, red = blue - 128, red - 128
    return np.stack(
        (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue), axis=2
    )


def difference(first: Pixels, second: Pixels, enough: Difference | None = None) -> Difference:
    """How much two pictures float32[48, 48, 3] differ at best; either may be the crop of the other.

    Where even the coarse fit is bad, its difference stands for both figures. A fit that leaves no more than
    `enough` is not bettered.
    """
    starts = []
    for whole, part in ((first, second), (second, first)):
        found = _coarse(whole, part)
        starts += [(float(found[place]), place, whole, part) for place in np.argsort(found)[:_STARTS]]
    starts.sort(key=lambda start: start[0])
    if starts[0][0] > _FAR:
        return Difference(*[starts[0][0]] * 3)
    best = Difference(np.inf, np.inf, np.inf)
    for _, place, whole, part in starts[:_STARTS]:
        best = min(best, _fitted(whole, part, int(place)))
        if enough is not None and best.within(enough):
            break
    return best


def _coarse(whole: Pixels, part: Pixels) -> NDArray[np.float32]:
    """float32[h]: the difference of `part` from every part of `whole` tried, without the worst band."""
    down, across = _places()
    rows = (down.reshape(-1, LIGHT_SIDE) @ whole.reshape(LIGHT_SIDE, -1)).reshape(
        len(down), _COARSE, LIGHT_SIDE, 3
    )
    parts = np.matmul(across[:, None], rows)
    goal = _laid(part, _window(0, 1, _COARSE), _window(0, 1, _COARSE))
    squares = ((_lit(parts, goal) - goal) ** 2).mean(axis=3)
    kept = _COARSE - _BAND * _COARSE // _SIDE - 1
    sums = [np.partition(squares.sum(axis=axis), kept, axis=1)[:, :kept].sum(axis=1) for axis in (1, 2)]
    return np.asarray(np.sqrt(np.min(sums, axis=0) / (kept * _COARSE)), np.float32)


def _fitted(whole: Pixels, part: Pixels, place: int) -> Difference:
    """The difference where `part` fits best on `whole`, near one of the places tried."""
    side, top, left = _corners()[place]
    at = np.array((top, side, left, side))
    goal = _laid(part, _window(0, 1, _SIDE), _window(0, 1, _SIDE))
    step = 0.5 / LIGHT_SIDE
    for _ in range(_STEPS):
        down, across = _window(at[0], at[1], _SIDE), _window(at[2], at[3], _SIDE)
        there = _laid(whole, down, across)
        left_over = goal - _lit(there, goal)
        squares = left_over**2
        # Cauchy's weights, so that a mark does not pull.
        usual = max(4 * float(np.median(squares)), 16.0)
        weights = np.asarray(1 / (1 + squares.mean(axis=2, keepdims=True) / usual), np.float32)
        moved = [
            _laid(whole, _window(at[0] + step, at[1], _SIDE), across),
            _laid(whole, _window(at[0], at[1] + step, _SIDE), across),
            _laid(whole, down, _window(at[2] + step, at[3], _SIDE)),
            _laid(whole, down, _window(at[2], at[3] + step, _SIDE)),
        ]
        slopes = np.stack([((each - there) / step).ravel() for each in moved])
        weighed = slopes * np.broadcast_to(weights, there.shape).ravel()
        normal = weighed @ slopes.T
        # Damped, for pictures without an edge in some direction.
        normal += np.eye(4) * (1e-3 * np.trace(normal) / 4 + 1)
        change = np.clip(np.linalg.solve(normal, weighed @ left_over.ravel()), -_LONGEST_STEP, _LONGEST_STEP)
        at = at + change
        at[1::2] = np.clip(at[1::2], _SMALLEST, 1 + 2 * _BEYOND)
        at[::2] = np.clip(at[::2], -_BEYOND, 1 + _BEYOND - at[1::2])
        if np.abs(change).max() < _SETTLED:
            break
    there = _laid(whole, _window(at[0], at[1], _SIDE), _window(at[2], at[3], _SIDE))
    return min(_left(lit(there, goal) - goal) for lit in (_lit, _lit_but_white))


def _left(residual: Pixels) -> Difference:
    """What is left of residuals float32[32, 32, 3] without the marked band that differs most."""
    squares = (residual**2).mean(axis=2)
    kept = np.ones(squares.shape, np.float32)
    sums = np.convolve(squares.sum(axis=1), np.ones(_BAND), "valid")
    band = slice(int(np.argmax(sums)), int(np.argmax(sums)) + _BAND)
    if (squares[band].mean(axis=0) >= _SEEN**2).mean() >= _MARKED:
        kept[band] = 0

    def patches(values: NDArray[np.float32]) -> NDArray[np.float32]:
        count = _SIDE // _PATCH
        return np.asarray(values.reshape(count, _PATCH, count, _PATCH, -1).sum(axis=(1, 3)), np.float32)

    # A patch that the band covers nearly whole says nothing.
    shares = np.maximum(patches(kept), _PATCH)
    means = patches(residual * kept[:, :, None]) / shares
    patch = float((patches(squares * kept) / shares).max())
    whole = float((squares * kept).sum() / kept.sum())
    return Difference(*np.sqrt((whole, patch, float((means**2).mean(axis=2).max()))).tolist())


def _lit(pictures: Pixels, goal: Pixels) -> Pixels:
    """float32[…, r, c, 3], each channel as bright as in `goal`, as the median place says."""
    ratios = np.median((goal + _DARK) / np.maximum(pictures + _DARK, 1), axis=(-3, -2), keepdims=True)
    return np.asarray(np.minimum(pictures * np.clip(ratios, *_GAINS), 255), np.float32)


def _lit_but_white(picture: Pixels, goal: Pixels) -> Pixels:
    """As `_lit`, as the median place says that is white in neither float32[r, c, 3].

    White stays white where a picture is made brighter, and so does not say by how much it was.
    """
    said = ((picture < _WHITE) & (goal < _WHITE)).all(axis=2)
    if not said.any():
        return picture
    ratios = np.median((goal[said] + _DARK) / np.maximum(picture[said] + _DARK, 1), axis=0)
    return np.asarray(np.minimum(picture * np.clip(ratios, *_GAINS), 255), np.float32)


def _laid(whole: Pixels, down: Pixels, across: Pixels) -> Pixels:
    """float32[r, c, 3]: a part of float32[48, 48, 3] by matrices float32[r, 48] and float32[c, 48]."""
    rows = (down @ whole.reshape(LIGHT_SIDE, -1)).reshape(len(down), LIGHT_SIDE, 3)
    return np.asarray(np.matmul(across, rows), np.float32)


@cache
def _corners() -> tuple[tuple[float, float, float], ...]:
    """Side, upper and left edge of every part tried; the whole comes first."""
    edges = {side: np.linspace(0, 1 - side, count).tolist() for side, count in _PARTS.items()}
    return tuple((side, top, left) for side in edges for top in edges[side] for left in edges[side])


@cache
def _places() -> tuple[Pixels, Pixels]:
    """The matrices of all parts tried, float32[h, 16, 48] of rows and of columns."""
    parts = _corners()
    down, across = (np.stack([_window(part[edge], part[0], _COARSE) for part in parts]) for edge in (1, 2))
    return down, across


def _window(start: float, size: float, rows: int) -> Pixels:
    """float32[rows, 48]: takes a copy to its part from `start` on, two samples in each row."""
    middles = (start + size * (np.arange(2 * rows) + 0.5) / (2 * rows)) * LIGHT_SIDE - 0.5
    below = np.floor(middles).astype(np.int64)
    share = (middles - below).astype(np.float32)
    made = np.zeros((2 * rows, LIGHT_SIDE), np.float32)
    at = np.arange(2 * rows)
    np.add.at(made, (at, np.clip(below, 0, LIGHT_SIDE - 1)), 1 - share)
    np.add.at(made, (at, np.clip(below + 1, 0, LIGHT_SIDE - 1)), share)
    return np.asarray(made.reshape(rows, 2, LIGHT_SIDE).mean(axis=1), np.float32)
