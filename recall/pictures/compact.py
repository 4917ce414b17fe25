"""An index of short codes that are scanned and longer ones that put the best of these right.

Inverted lists (Jégou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011) whose codes are
scanned in registers: product quantisation of 4 bits (André et al., "Cache locality is not enough", VLDB 2015)
or one bit per dimension (RaBitQ: Gao & Long, SIGMOD 2024). What is nearest by them is compared again by 8 or
4 bits per dimension. No vector is kept in full.

Everything is done to vectors that a random rotation has turned: it spreads what a vector says evenly over the
dimensions, so that each of them deserves as many bits. Without it the few strong dimensions of principal
components bear nearly all the error of a product, and the same bits per dimension lose several times as much.
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
_LEAST_SCANNED = 8
"""Dimensions that are scanned where vectors have so many, however short they are."""
_ROUNDS = 10
"""Of k-means; more of them move no recall that was measured."""
_SPREAD = {4: 2.5, 6: 3.5, 8: 4.5}
"""Standard deviations about the mean that codes of so many bits span."""
_LEAST_PER_LIST = 10
"""Vectors of the sample per list, however few they are."""


class CompactSettings(BaseModel):
    """How vectors become codes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scanned: Literal["pq", "rabitq"] = Field(
        default="pq",
        description="Codes that are scanned, of S dimensions: pq (S/8 bytes) or rabitq (S/8 bytes and 29).",
    )
    scanned_dimensions: int = Field(
        default=0,
        ge=0,
        le=1280,
        description="Strongest dimensions that the scanned codes represent (S); 0 = half of them.",
    )
    refined_bits: Literal[4, 6, 8] = Field(
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
    rotation: Any = faiss.RandomRotationMatrix(dimensions, dimensions)
    rotation.init(seed & 0x7FFFFFFF)
    turned = rotation.apply(np.ascontiguousarray(sample, np.float32))
    kept = min(dimensions, settings.scanned_dimensions or max(dimensions // 2, _LEAST_SCANNED))
    scanned, longer = (
        _scanned(turned, kept, lists, settings, seed),
        _longer(dimensions, settings.refined_bits),
    )
    refined: Any = faiss.IndexRefine(scanned, longer)
    scanned.this.disown()
    longer.this.disown()
    refined.own_fields = refined.own_refine_index = True
    refined.train(turned)
    index: Any = faiss.IndexPreTransform(rotation, refined)
    rotation.this.disown()
    refined.this.disown()
    index.own_fields = True
    return index


def longer_codes(index: Any) -> tuple[Any, Any]:
    """Of an index of `train_compact`: what turns vectors at random, and the longer codes of turned vectors.

    A query that is turned has the same products with these as the query with vectors that are turned back,
    which takes longer for each of them than the product. Both live as long as the index.
    """
    refined: Any = faiss.downcast_index(index.index)
    return faiss.downcast_VectorTransform(index.chain.at(0)), faiss.downcast_index(refined.refine_index)


def _scanned(sample: NDArray[np.float32], kept: int, lists: int, settings: CompactSettings, seed: int) -> Any:
    """Inverted lists of codes of the `kept` principal dimensions, which are turned among themselves."""
    metric = faiss.METRIC_INNER_PRODUCT
    coarse: Any = (
        faiss.IndexHNSWFlat(kept, _LINKS, metric) if lists >= _MANY_LISTS else faiss.IndexFlatIP(kept)
    )
    coarse.this.disown()
    if settings.scanned == "pq":
        pieces = next(count for count in range(max(1, kept // _PQ_DIMENSIONS), 0, -1) if kept % count == 0)
        scanned: Any = faiss.IndexIVFPQFastScan(coarse, kept, lists, pieces, 4, metric)
        scanned.by_residual = True
        scanned.pq.cp.seed = seed & 0x7FFFFFFF
    else:
        scanned = faiss.IndexIVFRaBitQFastScan(coarse, kept, lists, metric)
    scanned.own_fields = True
    scanned.cp.seed = seed & 0x7FFFFFFF
    scanned.cp.niter = _ROUNDS
    scanned.cp.min_points_per_centroid = 1
    projection: Any = faiss.LinearTransform(sample.shape[1], kept, False)
    faiss.copy_array_to_vector(_principal(sample, kept, seed).ravel(), projection.A)
    projection.is_trained = True
    index: Any = faiss.IndexPreTransform(projection, scanned)
    projection.this.disown()
    scanned.this.disown()
    index.own_fields = True
    return index


def _principal(sample: NDArray[np.float32], kept: int, seed: int) -> NDArray[np.float32]:
    """float32[kept, D]: onto the dimensions in which float32[s, D] is strongest, mixed evenly.

    Nothing is centred, since a product of vectors is not that of their distances from a mean.
    """
    strongest = np.linalg.eigh(sample.T @ sample)[1][:, : -kept - 1 : -1]
    mixing = np.linalg.qr(np.random.default_rng(seed).standard_normal((kept, kept)))[0]
    return np.ascontiguousarray(mixing @ strongest.T, np.float32)


def _longer(dimensions: int, bits: int) -> Any:
    """Codes of each dimension by so many bits."""
    kind = getattr(faiss.ScalarQuantizer, f"QT_{bits}bit")
    longer: Any = faiss.IndexScalarQuantizer(dimensions, kind, faiss.METRIC_INNER_PRODUCT)
    # Steps are better spent on where nearly all components lie than on the extremes, which are cut off.
    longer.sq.rangestat = faiss.ScalarQuantizer.RS_meanstd
    longer.sq.rangestat_arg = _SPREAD[bits]
    return longer
