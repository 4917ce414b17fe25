"""Whether a running server really serves: it may hang, and a model process may die under it.

This Triton answers every request of a model whose process died with an error, a second late each, while it
goes on to report the model as ready.
"""

from dataclasses import dataclass

import psutil

from triton_repo.control import TritonControl
from triton_repo.errors import ModelLoadError
from triton_repo.server import TritonServer


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a running server; `model` is "" where it is the server itself."""

    model: str
    detail: str


def find_problem(server: TritonServer, control: TritonControl) -> Problem | None:
    """The first problem of a running server, None where it is well.

    `control` is connected to the server; its timeout is the patience of this check.
    """
    for model, settings in server.settings.models.items():
        try:
            versions = control.ready_versions(model)
        except ModelLoadError as error:
            return Problem("", str(error))
        processes = _model_processes(server)
        for version in versions:
            graph = str(server.repository.version_folder(model, version) / "model.onnx")
            if processes.count(graph) < settings.instances:
                return Problem(model, f"a model process of {model} version {version} is gone")
    return None


def _model_processes(server: TritonServer) -> list[str]:
    """The graph each live model process was started for: its first argument."""
    if server.pid is None:
        return []
    graphs = []
    try:
        for child in psutil.Process(server.pid).children():
            command = child.cmdline()  # empty for one that is dead and not yet waited for
            if len(command) > 1:
                graphs.append(command[1])
    except psutil.NoSuchProcess:
        # It ended while we looked; the next look sees the rest.
        return graphs
    return graphs
