"""Running a network in this process, with the arrays that Triton would receive and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triton_repo.tensors import Tensors

Words = Mapping[str, Sequence[bytes]]
"""Bytes input → the words the network knows; their positions, counted from 1, are its codes."""


class OutputsDiffer(ValueError):
    """A network returns other outputs than its model declares; the message names both."""


class NetworkRunner:
    """A network of declared tensors, called like a model on Triton."""

    def __init__(self, network: nn.Module, tensors: Tensors, words: Words) -> None:
        """Puts the network into eval mode.

        Args:
            network: as `models.kind.ModelKind` describes it.
            tensors: what it takes and returns.
            words: the vocabulary of each bytes input.
        """
        self._network = network.eval()
        self._tensors = tensors
        self._codes = {
            name: {word: code for code, word in enumerate(known, start=1)} for name, known in words.items()
        }

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The declared outputs by name, for the declared inputs by name; other feeds are left aside.

        Raises OutputsDiffer where the network returns another number of outputs, KeyError where an input is
        missing.
        """
        inputs = {
            tensor.name: self._tensor(tensor.name, feeds[tensor.name]) for tensor in self._tensors.inputs
        }
        with torch.inference_mode():
            returned = self._network(**inputs)
        outputs = list(returned) if isinstance(returned, tuple | list) else [returned]
        names = [tensor.name for tensor in self._tensors.outputs]
        if len(outputs) != len(names) or not all(isinstance(output, Tensor) for output in outputs):
            found = ", ".join(type(output).__name__ for output in outputs)
            raise OutputsDiffer(
                f"the network returns {len(outputs)} outputs ({found}),"
                f" its model declares {', '.join(names)}; return these tensors, in this order"
            )
        return {name: np.asarray(output.numpy()) for name, output in zip(names, outputs, strict=True)}

    def _tensor(self, name: str, values: NDArray[Any]) -> Tensor:
        if name not in self._codes:
            return torch.from_numpy(values)
        codes = self._codes[name]
        found = [codes.get(bytes(word), 0) for word in values.ravel()]
        return torch.tensor(found, dtype=torch.int64).reshape(values.shape)
