"""The tensors of models that read the inputs of the last layer of ranking, instead of ids and histories.

The router computes them (`router.ranking.logistic.inputs`, without the ranks of channels), so that they are
made of the whole of what is known of a shopper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.moments import Moments
from triton_repo.tensors import Tensor, Tensors

WIDTH = 47
"""Inputs of a candidate; `input_names(())` of the router has as many."""
INPUTS = Tensor("ranker_inputs", "float32", ("n", WIDTH))
SCORE = Tensor("score", "float32", ("n",))
RANKER = Tensors((INPUTS,), (SCORE,))

_CANDIDATES = 200
_LARGEST = 20.0


def drawn_rows(moments: Moments) -> Mapping[str, NDArray[Any]]:
    """Rows by which the exported graph is compared, as wide as logarithms of counts and ages are."""
    random = np.random.default_rng(len(moments.user))
    return {INPUTS.name: random.uniform(-_LARGEST, _LARGEST, (_CANDIDATES, WIDTH)).astype(np.float32)}


def reads_ranker_inputs(tensors: Tensors) -> bool:
    """Whether a model takes the inputs of the last layer."""
    return any(tensor.name == INPUTS.name for tensor in tensors.inputs)
