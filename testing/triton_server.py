"""A real Triton with tiny `bst` and `mind` models.

The tests share one, the fixture `triton` of `tests/conftest.py`; a test that stops, kills or reconfigures its
server starts its own with `tiny_triton`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput

from models.contracts import contracts
from testing.triton_models import add_tiny_version
from triton_repo.model_processes import remove_shared_memory
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings, TritonSettings

OUTPUTS = {"bst": "score", "mind": "interests"}
BOTH: dict[str, ModelSettings] = {model: ModelSettings() for model in OUTPUTS}


def tiny_repository(folder: Path, seed: int = 1) -> ModelRepository:
    """A repository under `folder` with version 1 of the tiny `bst` and `mind`."""
    repository = ModelRepository(folder / "triton", contracts())
    for model in OUTPUTS:
        add_tiny_version(repository, model, seed)
    return repository


@contextmanager
def tiny_triton(folder: Path, seed: int = 1, **settings: object) -> Iterator[TritonServer]:
    """A started server over `tiny_repository`, gone at the end; `settings` as in TritonSettings."""
    server = TritonServer(
        tiny_repository(folder, seed),
        folder / "triton.log",
        TritonSettings.model_validate({"models": BOTH, **settings}),
    )
    with started(server):
        yield server


@contextmanager
def started(server: TritonServer) -> Iterator[None]:
    """The server runs while the body does."""
    server.start()
    try:
        yield
    finally:
        end_at_once(server)


def end_at_once(server: TritonServer) -> None:
    """Kills a server and its model processes; nothing of them is left.

    An orderly end takes Triton three seconds, and its model processes two to notice that it is gone.
    """
    models = server.model_processes()
    server.kill()
    for model in models:
        model.kill()
    server.stop()
    remove_shared_memory(model.region for model in models)


def infer(
    url: str, model: str, feeds: Mapping[str, np.ndarray], version: str = "", timeout_s: float = 10.0
) -> np.ndarray:
    """One blocking inference; the model's only output."""
    inputs = []
    for name, values in feeds.items():
        tensor = InferInput(name, list(values.shape), "INT32")
        inputs.append(tensor.set_data_from_numpy(values))
    with InferenceServerClient(url) as client:
        result = client.infer(model, inputs, model_version=version, client_timeout=timeout_s)
        return np.asarray(result.as_numpy(OUTPUTS[model]))
