"""float16 inside, float32 and int32 at the edges: for GPUs, whose matrix units are made for it."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from exporters.input_cases import InputCase
from triton_repo.contract import Contract

LARGEST = 1e4
"""What is larger is cut to this: the mask of attention (−1e9) is beyond float16; e^−10000 is 0 as well."""


@dataclass(frozen=True)
class Float16:
    """Every float32 weight and operator in float16, inputs and outputs as the contract names them."""

    tools: Sequence[str] = ("onnxruntime",)

    def rewrite(
        self, graph: onnx.ModelProto, contract: Contract, samples: Sequence[InputCase]
    ) -> onnx.ModelProto:
        """The graph in float16. On a CPU it is slower than float32, and the gates say so."""
        del contract, samples
        return convert_float_to_float16(
            copy.deepcopy(graph), max_finite_val=LARGEST, keep_io_types=True, force_fp16_initializers=True
        )
