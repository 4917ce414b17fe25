"""Vectors by which items of one kind of shopping are alike: a table of serving.

They are those of walks over sessions (`recall.graph_embedding_build`) less their mean over the items, of
length 1. Vectors of skip-gram have a direction in common that says nothing of an item, and which makes any
two of them alike (Mu and Viswanath, "All-but-the-top", ICLR 2018); without it the cosine of two items that
have nothing to do with each other is about 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from recall.channel import BuildSource, NothingToRecall
from recall.unit_rows import unit_rows
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column

NAME = "walk_vectors"
VECTORS = "vectors"
SMALLEST_STEP, LARGEST_STEP = 64, 8_192
"""Pairs of one step of training."""


class WalkVectorSettings(BaseModel):
    """How the vectors are trained; what is not said here is as built in for the channel graph_embedding."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    max_pairs: int = Field(
        default=5_000_000, ge=1_000, description="Pairs of items trained on; of more, so many are drawn."
    )
    dimensions: int = Field(default=48, ge=2, le=1_024, description="Length of the vectors.")


@dataclass(frozen=True, slots=True)
class WalkVectors:
    """The open table: vectors float16[N + 1, D] of length 1; 0 of items of which nothing is known."""

    vectors: NDArray[np.float16]

    def of(self, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[n, D], of items int32[n]."""
        return self.vectors[items].astype(np.float32)


def centred(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[N + 1, D] less the mean of those that are not 0, of length 1; what is 0 stays."""
    known = np.any(vectors != 0, axis=1)
    made = np.zeros_like(vectors)
    if known.any():
        made[known] = unit_rows(vectors[known] - vectors[known].mean(axis=0))
    return made


def build(source: BuildSource, folder: Path, settings: WalkVectorSettings) -> dict[str, int]:
    """Trains the vectors and writes them; all are 0 where no session has two items."""
    from recall.graph_embedding_build import item_vectors
    from recall.graph_embedding_settings import GraphEmbeddingSettings

    # A log of few events has few pairs, which in steps of thousands would be learned in next to no step.
    batch = min(max(source.events.height // 16, SMALLEST_STEP), LARGEST_STEP)
    training = GraphEmbeddingSettings(
        max_pairs=settings.max_pairs, dimensions=settings.dimensions, batch=batch
    )
    try:
        vectors, _ = item_vectors(source, training)
    except NothingToRecall:
        vectors = np.zeros((source.catalogue.size + 1, settings.dimensions), np.float32)
    save_column(folder, VECTORS, centred(vectors).astype(np.float16).ravel())
    return {VECTORS: int(np.any(vectors != 0, axis=1).sum())}


def open_table(folder: Path, catalogue: Catalogue, settings: WalkVectorSettings) -> WalkVectors:
    """Maps the table. Raises SnapshotError where it is torn or does not fit the catalogue or the settings."""
    rows = catalogue.size + 1
    column = load_column(folder, VECTORS, np.dtype(np.float16), rows * settings.dimensions)
    return WalkVectors(column.reshape(rows, settings.dimensions))
