"""What stands out of the ground of a picture: the parts that are of other colours than its edges.

The prior that edges are ground: Wei et al., "Geodesic saliency using background priors" (ECCV 2012). It
needs no training, and holds for things on plain grounds; on a shelf everything stands out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from recall.found_boxes import FoundBoxes

_SIDE = 64
_COLOURS = 4
"""Colours of the edges by which the ground is described."""
_LEAST_CONTRAST = 18.0
"""Distance of colours, of 255, up to which what differs is noise of the ground."""
_LEAST_AREA = 0.01
"""Part of a picture below which something is a speck."""
_FULL_CONTRAST = 96.0


def foreground(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """bool[H, W]: where a picture uint8[H, W, 3] is not its ground, without holes; all False where all is."""
    contrast = contrast_with_edges(pixels)
    return np.asarray(ndimage.binary_fill_holes(contrast > _threshold(contrast)), np.bool_)


def salient_boxes(image: Image.Image) -> FoundBoxes:
    """The connected parts of a picture that stand out of its ground, the most striking first.

    Confidence is the part's mean distance of colour from the ground by its area's root, 0 to 1: it orders
    boxes and is no probability.
    """
    pixels = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.uint8)
    contrast = contrast_with_edges(pixels)
    stands_out = ndimage.binary_opening(foreground(pixels), np.ones((2, 2)))
    labels, _ = ndimage.label(stands_out, np.ones((3, 3)))
    boxes, confidences = [], []
    for part, where in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[where] == part
        area = inside.sum() / _SIDE**2
        if area < _LEAST_AREA:
            continue
        rows, columns = where
        boxes.append([columns.start, rows.start, columns.stop, rows.stop])
        striking = contrast[where][inside].mean() / _FULL_CONTRAST
        confidences.append(min(striking, 1.0) * area**0.25)
    edges = np.asarray(np.array(boxes, np.float32).reshape(-1, 4) / _SIDE, np.float32)
    return FoundBoxes(edges, np.array(confidences, np.float32)).best_first()


def contrast_with_edges(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32[H, W]: distance of a pixel's colour from the nearest of the colours of the edges, 0 to 255."""
    colours = pixels.astype(np.float32)
    edge = np.concatenate((colours[0], colours[-1], colours[:, 0], colours[:, -1]))
    # The edges' colours, sorted by lightness and cut into parts of one number.
    order = np.argsort(edge.sum(axis=1), kind="stable")
    grounds = [np.median(edge[part], axis=0) for part in np.array_split(order, _COLOURS)]
    distances = [np.abs(colours - ground).max(axis=2) for ground in grounds]
    return np.asarray(np.min(distances, axis=0), np.float32)


def _threshold(contrast: NDArray[np.float32]) -> float:
    """Otsu's threshold (IEEE Transactions on Systems, 1979), half of it, and above the ground's noise.

    Half, because a thing has parts that are nearly of the ground's colour.
    """
    counts, edges = np.histogram(contrast, bins=64, range=(0, 256))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = float(edges[1:][np.nanargmax(apart)]) if np.isfinite(apart).any() else 256.0
    return max(best / 2, _LEAST_CONTRAST)
