"""The parameters of one search of a faiss index of any kind that is used here."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

_FAISS: Any = faiss
"""Its stubs lack the keywords that its Python adds."""
_LEAST_WIDTH, _WIDER = 64, 2
"""Lists that a graph over them holds while the nearest are looked for: the least, and per list wanted.

By its own 16 it misses a sixth of 16 lists, and of hundreds, as a filter has visited, most.
"""

_MOST_KEPT = 64


class KeptParameters:
    """What searches of indexes of one kind need, made once: making it takes a tenth of a search.

    Many threads may ask at once.
    """

    def __init__(self, *, width: int, refined: float) -> None:
        """See `search_parameters`."""
        self._width, self._refined = width, refined
        self._kept: dict[tuple[int, int, bool], Any] = {}

    def of(self, index: Any, k: int, probes: int, selector: Any = None, *, lasting: bool = True) -> Any:
        """As `search_parameters`; `lasting`: whether all searches with a selector have this one."""
        key = k, probes, selector is not None
        kept = self._kept.get(key) if lasting else None
        if kept is None:
            kept = search_parameters(
                index, k, probes=probes, width=self._width, refined=self._refined, selector=selector
            )
            if lasting:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[key] = kept
        return kept


def search_parameters(
    index: Any, k: int, *, probes: int, width: int, refined: float, selector: Any = None
) -> Any:
    """What faiss needs to search `index` for k neighbours.

    Args:
        index: flat, a graph, inverted lists, or one of these behind a rotation or a refinement.
        k: neighbours.
        probes: inverted lists visited.
        width: candidates that the search of a graph holds; at least k are.
        refined: candidates of the coarser index compared again for every neighbour.
        selector: which rows may be found; None = all.
    """
    inner = {"probes": probes, "width": width, "refined": refined, "selector": selector}
    if isinstance(index, faiss.IndexRefine):
        base = search_parameters(faiss.downcast_index(index.base_index), int(k * refined), **inner)
        return _FAISS.IndexRefineSearchParameters(k_factor=refined, base_index_params=base)
    if isinstance(index, faiss.IndexPreTransform):
        turned = search_parameters(faiss.downcast_index(index.index), k, **inner)
        return _FAISS.SearchParametersPreTransform(index_params=turned)
    if isinstance(index, faiss.IndexHNSW):
        return _FAISS.SearchParametersHNSW(efSearch=max(width, k), sel=selector)
    if isinstance(index, faiss.IndexIVF):
        nearest = min(probes, index.nlist)
        graph = isinstance(faiss.downcast_index(index.quantizer), faiss.IndexHNSW)
        wide = _FAISS.SearchParametersHNSW(efSearch=max(_LEAST_WIDTH, _WIDER * nearest)) if graph else None
        return _FAISS.SearchParametersIVF(nprobe=nearest, sel=selector, quantizer_params=wide)
    return _FAISS.SearchParameters(sel=selector)


def selector_of(bits: NDArray[np.uint8]) -> Any:
    """Selects the rows whose bits are set; `bits`: uint8[⌈rows / 8⌉], the first row in the lowest bit."""
    return _FAISS.IDSelectorBitmap(bits)
