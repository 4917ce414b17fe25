"""The tensors of a model on Triton, read from its committed configuration: the one place that names them."""

from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from triton_repo.repository import COMMITTED_MODELS


@dataclass(frozen=True, slots=True)
class Contract:
    """Inputs (int32) and the one output (float32) of a model: name → dims, −1 where the size varies."""

    model: str
    inputs: dict[str, tuple[int, ...]]
    output: str
    output_dims: tuple[int, ...]

    @property
    def scores_candidates(self) -> bool:
        """Whether the model answers for candidates, or for shoppers alone."""
        return "candidate_item" in self.inputs


def read_contract(model: str, configurations: Path = COMMITTED_MODELS) -> Contract:
    """The contract of a model; FileNotFoundError where no configuration is committed for it."""
    text = (configurations / model / "config.pbtxt").read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    (output,) = config.output
    inputs = {tensor.name: tuple(tensor.dims) for tensor in config.input}
    return Contract(model, inputs, output.name, tuple(output.dims))
