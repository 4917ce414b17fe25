"""The registered export formats. A new one is a `GraphRewrite` in its own file and a line in `REWRITES`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from onnxruntime.quantization import QuantFormat, QuantType
from torch import nn

from exporters.float16 import Float16
from exporters.graph_rewrite import GraphRewrite, InTurn
from exporters.input_cases import InputCase, Words
from exporters.int8_matmul import DynamicInt8, StaticInt8
from exporters.onnx_export import OnnxFormat
from exporters.quantised_tables import QuantisedTables
from exporters.runner import Runner
from registration.registry import Registry
from triton_repo.contract import Contract


class Format(Protocol):
    """The form written from the network itself; every other one is a rewrite of its graph."""

    tools: Sequence[str]
    """Packages whose versions the manifest records."""

    def write(
        self,
        module: nn.Module,
        contract: Contract,
        samples: Sequence[InputCase],
        folder: Path,
        words: Words | None = None,
    ) -> None:
        """Writes the served files into `folder`; `words`: the vocabularies of bytes inputs."""
        ...

    def open(self, folder: Path, contract: Contract) -> Runner:
        """Opens what `write` wrote, on one thread, as the server will."""
        ...


FLOAT32 = "onnx"
FORMATS: dict[str, Format] = {FLOAT32: OnnxFormat()}


def _fault(name: str, rewrite: object, rewrites: Mapping[str, object]) -> str | None:
    if name in FORMATS:
        return "has the name of the form that is written from the network itself; choose another"
    if isinstance(rewrite, type) or not callable(getattr(rewrite, "rewrite", None)):
        return "is no exporters.graph_rewrite.GraphRewrite: it must be an object with `tools` and `rewrite`"
    return None


REWRITES: Registry[GraphRewrite] = Registry(
    "export format",
    "REWRITES",
    {
        "onnx_int8": StaticInt8(),
        "onnx_int8_integer_operators": StaticInt8(layout=QuantFormat.QOperator),
        "onnx_int8_every_product": StaticInt8(least_weights=1),
        "onnx_int8_symmetric": StaticInt8(activations=QuantType.QInt8, symmetric=True),
        "onnx_int8_dynamic": DynamicInt8(),
        "onnx_int8_wide_tables": QuantisedTables(8, least_width=64),
        "onnx_int8_tables": QuantisedTables(8),
        "onnx_int4_tables": QuantisedTables(4),
        "onnx_int8_and_int8_tables": InTurn((QuantisedTables(8), StaticInt8())),
        "onnx_int8_and_int4_tables": InTurn((QuantisedTables(4), StaticInt8())),
        "onnx_int8_dynamic_and_int8_tables": InTurn((QuantisedTables(8), DynamicInt8())),
        "onnx_fp16": Float16(),
    },
    _fault,
)


def known_formats() -> list[str]:
    """Every name that `export.formats` may hold."""
    return [*FORMATS, *REWRITES]
