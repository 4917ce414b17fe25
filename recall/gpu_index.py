"""Searching item vectors on a GPU, where faiss was built for one and there is one (faiss-gpu).

The files of a snapshot are the same: an index is copied to the GPU when it is opened.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Device = Literal["auto", "cpu"]
_MOST_NEIGHBOURS = 2_048
"""Neighbours that faiss finds on a GPU at most."""
_SCRATCH_BYTES = 64 << 20
"""Memory of the GPU that each process keeps for its searches; faiss would take 1.5 GiB."""


def why_no_gpu() -> str:
    """What this machine lacks to search on a GPU; "" where nothing."""
    if not hasattr(faiss, "StandardGpuResources"):
        return "a faiss built for GPUs (requirements-gpu.txt in place of faiss-cpu)"
    if faiss.get_num_gpus() == 0:
        return "an NVIDIA GPU that faiss sees"
    return ""


def placed(index: Any, device: Device) -> Any:
    """The index where `device` wants it: with "auto" on the GPU where that is possible, else as it is."""
    if device == "cpu" or why_no_gpu() or not isinstance(index, faiss.IndexFlat | faiss.IndexIVFFlat):
        return index
    try:
        return on_gpu(index)
    except RuntimeError as error:
        # Out of memory, or a driver that does not fit: recall goes on where it always works.
        logger.warning("item vectors are searched on the CPU, the GPU cannot hold them: %s", error)
        return index


def on_gpu(index: Any) -> GpuIndex:
    """A copy of a flat or IVF index on the first GPU. Raises RuntimeError where it cannot hold it."""
    return GpuIndex(index)


class GpuIndex:
    """Answers as the index that it was copied from; safe for several threads, which take turns."""

    def __init__(self, index: Any) -> None:
        """Copies `index`, which goes on answering what GPUs do not."""
        resources = faiss.StandardGpuResources()
        resources.setTempMemory(_SCRATCH_BYTES)
        self._cpu = index
        self._resources = resources
        self._gpu = faiss.index_cpu_to_gpu(resources, 0, index)
        # An index on a GPU, and what it shares with others there, is not made for several threads.
        self._turn = threading.Lock()

    @property
    def ntotal(self) -> int:
        """Number of vectors."""
        return int(self._cpu.ntotal)

    @property
    def d(self) -> int:
        """Dimensions."""
        return int(self._cpu.d)

    def search(
        self, queries: NDArray[np.float32], k: int, params: Any = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores float32[q, k] and rows int64[q, k], −1 where fewer were found, as faiss gives them.

        Searches with parameters of their own, such as selectors, and for more neighbours than GPUs find are
        answered on the CPU.
        """
        if params is not None or k > _MOST_NEIGHBOURS:
            scores, rows = self._cpu.search(queries, k, params=params)
        else:
            with self._turn:
                scores, rows = self._gpu.search(queries, k)
        return scores, rows
