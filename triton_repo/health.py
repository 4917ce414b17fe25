"""Whether a running server really serves: it may hang, and a model process may die under it.

This Triton answers every request of a model whose process died with an error, a second late each, while it
goes on to report the model as ready.
"""

from dataclasses import dataclass

from triton_repo.control import TritonControl
from triton_repo.errors import ModelLoadError
from triton_repo.server import TritonServer


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a running server; `model` is "" and `version` 0 where it is the server itself."""

    model: str
    detail: str
    version: int = 0


def find_problem(server: TritonServer, control: TritonControl) -> Problem | None:
    """The first problem of a running server, None where it is well.

    `control` is connected to the server; its timeout is the patience of this check.
    """
    for model, settings in server.models.items():
        try:
            versions = control.ready_versions(model)
        except ModelLoadError as error:
            return Problem("", str(error))
        # One that is stopped is as good as gone: it is killed before its version is loaded again.
        graphs = [process.graph for process in server.model_processes() if not process.is_stopped()]
        for version in versions:
            graph = (server.repository.version_folder(model, version) / "model.onnx").resolve()
            if graphs.count(graph) < settings.instances:
                return Problem(
                    model, f"a model process of {model} version {version} is gone or stopped", version
                )
    return None
