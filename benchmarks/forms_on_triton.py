"""Graphs of one network served side by side by an embedded Triton, each as a model of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from models.contracts import contract
from snapshot.dataset import Dataset
from triton_repo.manifest import ParityRecord, VersionManifest, write_manifest
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings, TritonSettings


@dataclass(frozen=True)
class FormsOnTriton:
    """A running server; models: form → the model that serves it, version 1."""

    server: TritonServer
    models: dict[str, str]

    @property
    def url(self) -> str:
        """host:port of its gRPC."""
        return self.server.grpc_url

    def memory_mib(self) -> dict[str, float]:
        """MiB of unshared memory of the process that runs each form, as it is now."""
        assert self.server.pid is not None
        found = {}
        for process in psutil.Process(self.server.pid).children(recursive=True):
            command = " ".join(process.cmdline())
            for form, model in self.models.items():
                if "triton_python_backend_stub" in command and f"/{model}/" in command:
                    found[form] = process.memory_full_info().uss / 2**20
        return found


@contextmanager
def forms_on_triton(graphs: Mapping[str, Path], scratch: Path, dataset: Dataset) -> Iterator[FormsOnTriton]:
    """Serves copies of `graphs` (form → model.onnx with the tensors of `bst`), one instance each."""
    models = {form: f"form{position}" for position, form in enumerate(graphs)}
    repository = ModelRepository(
        scratch / "triton", {model: replace(contract("bst"), model=model) for model in models.values()}
    )
    for form, graph in graphs.items():
        model = models[form]
        staged = repository.stage(model)
        shutil.copy(graph, staged / graph.name)
        write_manifest(
            staged,
            VersionManifest(
                model=model,
                format=form,
                created_at="",
                checkpoint="",
                checkpoint_sha256="",
                dataset=dataset.manifest.id,
                items=dataset.catalogue.size,
                parity=ParityRecord(0.0, 0.0, 0, 0.0),
            ),
        )
        repository.add_version(model, staged)
    server = TritonServer(
        repository,
        scratch / "triton.log",
        TritonSettings(models={model: ModelSettings() for model in models.values()}),
    )
    server.start()
    try:
        yield FormsOnTriton(server, models)
    finally:
        server.stop()
