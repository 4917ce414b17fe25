"""A faiss index over unit vectors by inner product, of a kind that suits their number, and its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recall.channel import ChannelSettings
from recall.gpu_index import Device, placed
from snapshot.columns import load_column, save_column
from snapshot.durable_files import sync_file, sync_folder
from snapshot.manifest import SnapshotError

_TRAINING_VECTORS_PER_CELL = 64


class VectorIndexSettings(ChannelSettings):
    """Base of the settings of a channel that searches an index of item vectors."""

    index: Literal["auto", "flat", "hnsw", "ivf"] = Field(
        default="auto", description="auto: flat below `flat_below` items, ivf from there on."
    )
    flat_below: int = Field(default=20_000, ge=0, description="Items below which every vector is compared.")
    hnsw_links: int = Field(default=32, ge=4, le=128, description="Links per node (M).")
    hnsw_build_width: int = Field(default=200, ge=8, description="Candidates held while a node is linked.")
    hnsw_search_width: int = Field(
        default=256, ge=8, description="Candidates held while searching; at least k is used."
    )
    ivf_probes: int = Field(default=32, ge=1, description="Cells visited per interest.")
    threads: int = Field(
        default=1, ge=1, description="Threads of one search; requests already run side by side."
    )
    device: Device = Field(
        default="auto",
        description="auto: a flat or ivf index is searched on the GPU where faiss was built for one and "
        "there is one; cpu: never.",
    )


def make_index(vectors: NDArray[np.float32], settings: VectorIndexSettings, seed: int) -> Any:
    """Index the rows of float32[n, D].

    flat compares every vector; hnsw walks a small-world graph (Malkov & Yashunin, TPAMI 2020); ivf visits the
    nearest of about 4·√n k-means cells. The settings name the kind, or leave it to the number of vectors.
    """
    count, dimensions = vectors.shape
    kind = settings.index
    if kind == "auto":
        kind = "flat" if count < settings.flat_below else "ivf"
    if kind == "flat" or count == 0:
        index: Any = faiss.IndexFlatIP(dimensions)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(dimensions, settings.hnsw_links, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = settings.hnsw_build_width
    else:
        cells = max(1, min(int(4 * count**0.5), count))
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(dimensions), dimensions, cells, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.seed = seed & 0x7FFFFFFF
        sample = np.random.default_rng(seed).permutation(count)[: cells * _TRAINING_VECTORS_PER_CELL]
        index.train(np.ascontiguousarray(vectors[np.sort(sample)]))
        index.nprobe = min(settings.ivf_probes, cells)
    index.add(np.ascontiguousarray(vectors, np.float32))
    return index


def search_parameters(index: Any, k: int, settings: VectorIndexSettings) -> Any:
    """The index's parameters in a search for k neighbours: a graph must hold at least k candidates."""
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(  # type: ignore[attr-defined]
            efSearch=max(settings.hnsw_search_width, k)
        )
    return None


def write_index(path: Path, vectors: NDArray[np.float32], settings: VectorIndexSettings, seed: int) -> None:
    """Index the vectors and write the index to `path` atomically."""
    save_index(path, make_index(vectors, settings, seed))


def save_index(path: Path, index: Any) -> None:
    """Write a faiss index to `path` atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        faiss.write_index(index, str(temporary))
        sync_file(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def open_index(path: Path, *, mapped: bool = True) -> Any:
    """Memory-map an index, or read it where it will be added to.

    Raises SnapshotError where the file is missing or torn.
    """
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mapped else 0)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1]
        raise SnapshotError(
            path.parent, path.name, f"cannot be read ({reason})", "build the snapshot again"
        ) from error


def open_searched(path: Path, settings: VectorIndexSettings) -> Any:
    """The index at `path` for searches alone, where `settings.device` wants it. Errors as of `open_index`."""
    return placed(open_index(path), settings.device)


def write_vectors(folder: Path, name: str, vectors: NDArray[np.float32]) -> None:
    """Write float32[N + 1, D] as the column `name` of `folder`, row after row."""
    save_column(folder, name, np.ascontiguousarray(vectors, np.float32).reshape(-1))


def open_vectors(folder: Path, name: str, rows: int) -> NDArray[np.float32]:
    """Memory-map float32[rows, D]. Raises SnapshotError where the file is missing, torn or does not fit."""
    flat = load_column(folder, name, np.dtype(np.float32))
    if len(flat) % rows:
        raise SnapshotError(
            folder,
            f"{name}.npy",
            f"holds {len(flat)} numbers, which are no {rows} vectors of one length",
            "build the snapshot again",
        )
    return flat.reshape(rows, -1)
