"""What turns the float32 graph into another form of the same model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import onnx

from exporters.input_cases import InputCase
from triton_repo.contract import Contract


class NotApplicable(Exception):
    """The graph holds nothing that this rewrite could change. The message is one line."""


class GraphRewrite(Protocol):
    """One step from the float32 graph to a form that is smaller or faster."""

    @property
    def tools(self) -> Sequence[str]:
        """Packages whose versions the manifest records."""
        ...

    def rewrite(
        self, graph: onnx.ModelProto, contract: Contract, samples: Sequence[InputCase]
    ) -> onnx.ModelProto:
        """A new graph with the same inputs and outputs; `graph` itself is left as it is.

        `samples` are real inputs, for calibration. Raises NotApplicable where there is nothing to change.
        """
        ...


@dataclass(frozen=True)
class InTurn:
    """Several rewrites, one after another."""

    steps: tuple[GraphRewrite, ...]

    @property
    def tools(self) -> Sequence[str]:
        """Those of all steps, each once."""
        return tuple(dict.fromkeys(tool for step in self.steps for tool in step.tools))

    def rewrite(
        self, graph: onnx.ModelProto, contract: Contract, samples: Sequence[InputCase]
    ) -> onnx.ModelProto:
        """Each step takes the graph of the one before; NotApplicable where any step finds nothing."""
        for step in self.steps:
            graph = step.rewrite(graph, contract, samples)
        return graph
