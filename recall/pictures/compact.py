"""An index of short codes that are scanned and longer ones that put the best of these right.

Inverted lists (Jégou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011) whose codes are
scanned in registers: product quantisation of 4 bits (André et al., "Cache locality is not enough", VLDB 2015)
or one bit per dimension (RaBitQ: Gao & Long, SIGMOD 2024). What is nearest by them is compared again by 8 or
4 bits per dimension. No vector is kept in full.
"""

from __future__ import annotations

from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

_MANY_LISTS = 16_384
"""From so many lists on the nearest are found by a graph, not by comparing with each."""
_LINKS = 32
_PQ_DIMENSIONS = 4
"""Dimensions that one code of 4 bits represents."""
_MARGIN = 0.1
_LEAST_PER_LIST = 10
"""Vectors of the sample per list, however few they are."""


class CompactSettings(BaseModel):
    """How vectors become codes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scanned: Literal["pq", "rabitq"] = Field(
        default="rabitq", description="Codes that are scanned: pq (D/8 bytes) or rabitq (D/8 bytes and 29)."
    )
    refined_bits: Literal[4, 8] = Field(
        default=8, description="Bits per dimension by which the best of the scanned are compared again."
    )
    refined: float = Field(
        default=10.0, ge=1, le=100, description="Scanned codes compared again for every neighbour wanted."
    )
    lists: int = Field(
        default=0, ge=0, le=1_000_000, description="Inverted lists; 0 = about 4 times the root of the number."
    )
    training: int = Field(
        default=40, ge=10, le=256, description="Vectors per list by which lists and codes are trained."
    )


def lists_for(count: int, settings: CompactSettings) -> int:
    """Inverted lists of an index of `count` vectors: a power of two near 4·√count, or as the settings say."""
    lists = settings.lists or 2 ** round(float(np.log2(max(4 * count**0.5, 1))))
    return max(1, min(lists, count // settings.training))


def train_compact(sample: NDArray[np.float32], count: int, settings: CompactSettings, seed: int) -> Any:
    """An index without vectors, trained for `count` of them.

    Args:
        sample: float32[s, D] of length 1, drawn from all of them; the lists are fewer where s is small.
        count: vectors that will be added.
        settings: the codes.
        seed: of k-means and of the rotation.

    Returns:
        A faiss index by inner product.
    """
    dimensions = sample.shape[1]
    lists = max(1, min(lists_for(count, settings), len(sample) // _LEAST_PER_LIST))
    metric = faiss.METRIC_INNER_PRODUCT
    coarse: Any = (
        faiss.IndexHNSWFlat(dimensions, _LINKS, metric)
        if lists >= _MANY_LISTS
        else faiss.IndexFlatIP(dimensions)
    )
    coarse.this.disown()
    if settings.scanned == "pq":
        most = max(1, dimensions // _PQ_DIMENSIONS)
        pieces = next(count for count in range(most, 0, -1) if dimensions % count == 0)
        scanned: Any = faiss.IndexIVFPQFastScan(coarse, dimensions, lists, pieces, 4, metric)
        scanned.by_residual = True
        scanned.pq.cp.seed = seed & 0x7FFFFFFF
    else:
        scanned = faiss.IndexIVFRaBitQFastScan(coarse, dimensions, lists, metric)
    scanned.own_fields = True
    scanned.cp.seed = seed & 0x7FFFFFFF
    scanned.cp.min_points_per_centroid = 1
    rotation: Any = faiss.RandomRotationMatrix(dimensions, dimensions)
    rotation.init(seed & 0x7FFFFFFF)
    turned: Any = faiss.IndexPreTransform(rotation, scanned)
    rotation.this.disown()
    scanned.this.disown()
    turned.own_fields = True
    kind = faiss.ScalarQuantizer.QT_8bit if settings.refined_bits == 8 else faiss.ScalarQuantizer.QT_4bit
    longer: Any = faiss.IndexScalarQuantizer(dimensions, kind, metric)
    # Vectors that arrive later may lie a little outside what the sample spans.
    longer.sq.rangestat_arg = _MARGIN
    index = faiss.IndexRefine(turned, longer)
    turned.this.disown()
    longer.this.disown()
    index.own_fields = index.own_refine_index = True
    index.train(np.ascontiguousarray(sample, np.float32))
    return index
