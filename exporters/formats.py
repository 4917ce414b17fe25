"""The registered export formats. A new one is a file with a `Format` and a line in `FORMATS`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import nn

from exporters.input_cases import InputCase
from exporters.onnx_export import OnnxFormat
from exporters.runner import Runner
from triton_repo.contract import Contract


class Format(Protocol):
    """One form in which a model is served."""

    tools: Sequence[str]
    """Packages whose versions the manifest records."""

    def write(
        self, module: nn.Module, contract: Contract, samples: Sequence[InputCase], folder: Path
    ) -> None:
        """Writes the served files into `folder`. `samples` are real inputs, for calibration."""
        ...

    def open(self, folder: Path, contract: Contract) -> Runner:
        """Opens what `write` wrote, on one thread, as the server will."""
        ...


FORMATS: dict[str, Format] = {
    "onnx": OnnxFormat(),
}
