"""What the repository, the exporters and the client know of a model: its tensors, and how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from triton_repo.tensors import Tensors

CANDIDATES = "candidate_item"
"""The input by which a model that scores candidates is recognised."""
ROWS = "candidate_row"
"""The input that names each candidate's shopper."""


@dataclass(frozen=True)
class Contract:
    """One model on Triton, as its registration declares it; `config.pbtxt` is generated from it."""

    model: str
    tensors: Tensors
    description: str = ""
    """One sentence, for the head of the configuration file."""
    warm_up: Mapping[str, int] = field(default_factory=dict)
    """Sizes of the named dimensions in the requests that warm up a loaded version; 1 where left out."""
    form: Literal["onnx", "tensorrt"] = "onnx"
    """What its versions hold: an ONNX graph, or an engine for one kind of GPU."""

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Name → sizes of each input, -1 where a size varies."""
        return {tensor.name: tensor.dims for tensor in self.tensors.inputs}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""
        return tuple(tensor.name for tensor in self.tensors.outputs)

    @property
    def scores_candidates(self) -> bool:
        """Whether the model answers for candidates (by its first output), or for shoppers alone."""
        return CANDIDATES in self.inputs

    @property
    def inputs_of_candidates(self) -> tuple[str, ...]:
        """The inputs with a row for each candidate, where those of several shoppers can be told apart.

        Empty where there is no input that names the shopper, or an output has no row for each candidate.
        """
        if ROWS not in self.inputs:
            return ()
        size = self.tensors.input(ROWS).shape[0]
        if any(tensor.shape[0] != size for tensor in self.tensors.outputs):
            return ()
        return tuple(tensor.name for tensor in self.tensors.inputs if tensor.shape[0] == size)
