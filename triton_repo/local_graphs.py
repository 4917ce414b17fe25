"""Graphs of small models run in this process, from the folder that Triton serves.

A call of Triton costs about a millisecond of processor time beside its graph. Of a graph that takes a tenth
of that, the call is nearly everything. So ONNX Runtime runs such a graph where it is asked for, with the
options of the embedded server, on the file that Triton serves: the answers are the same to the byte.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from triton_repo.errors import RepositoryError
from triton_repo.manifest import verify

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

logger = logging.getLogger(__name__)

GRAPH = "model.onnx"
MOST_OPEN = 8
"""Versions open at once; of a model two serve during a swap, and one more in a rollout."""

_Key = tuple[str, str]
_File = tuple[int, int, int]
"""Inode, time of the last change, and size: a version that was made anew under its number has others."""


class GraphFailed(Exception):
    """A graph refused its inputs or failed; the message says why."""


@dataclass(frozen=True, slots=True)
class LocalGraph:
    """One version of a model, opened in this process."""

    session: InferenceSession
    file: _File

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The outputs of these names, for all its inputs by name. Raises `GraphFailed`."""
        try:
            return dict(zip(outputs, self.session.run(list(outputs), dict(inputs)), strict=True))
        # ONNX Runtime's exceptions have no base of their own.
        except Exception as error:
            raise GraphFailed(" ".join(f"{type(error).__name__}: {error}".split())) from error


@dataclass(frozen=True, slots=True)
class _Left:
    """A version that is left to Triton, as long as its file is this one."""

    file: _File


@dataclass(frozen=True, slots=True)
class _Opening:
    """A version that a thread opens; the future ends without a result."""

    ended: asyncio.Future[None]


class LocalGraphs:
    """Opens versions when they are first asked for, beside the event loop; until then Triton answers."""

    def __init__(self, folder: Path, models: Collection[str], most_bytes: int) -> None:
        """Opens nothing yet.

        Args:
            folder: `<workspace>/triton/models`.
            models: names of those to run here.
            most_bytes: size of the largest graph that is run here.
        """
        self._folder = folder
        self._models = frozenset(models)
        self._most_bytes = most_bytes
        self._versions: OrderedDict[_Key, LocalGraph | _Left | _Opening] = OrderedDict()

    def find(self, model: str, version: str) -> LocalGraph | None:
        """The graph of a version, where it is open; else None, and it is opened for later calls.

        None for ever where it is not to be run here, too large, takes text, or cannot be read: the last is
        logged. Must be called on a running event loop.
        """
        if model not in self._models:
            return None
        found = self._versions.get((model, version))
        if isinstance(found, _Opening):
            return None
        file = _file(self._path(model, version))
        if file is None:
            # Removed, or this machine does not have it: Triton says what it serves.
            self._versions.pop((model, version), None)
            return None
        if found is not None and found.file == file:
            return found if isinstance(found, LocalGraph) else None
        self._begin_opening(model, version, file)
        return None

    async def prepare(self, versions: Mapping[str, str]) -> None:
        """Opens these versions (model → version), as far as they are to be run here, and waits for it."""
        for model, version in versions.items():
            self.find(model, version)
            found = self._versions.get((model, version))
            if isinstance(found, _Opening):
                await asyncio.shield(found.ended)

    def _begin_opening(self, model: str, version: str, file: _File) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        self._versions[model, version] = _Opening(ended)
        opening = loop.run_in_executor(None, self._open, model, version, file)
        opening.add_done_callback(lambda done: self._opened((model, version), done, ended))

    def _opened(
        self, key: _Key, done: asyncio.Future[LocalGraph | _Left], ended: asyncio.Future[None]
    ) -> None:
        self._versions.pop(key, None)
        if not done.cancelled():
            self._versions[key] = done.result()
            if len(self._versions) > MOST_OPEN:
                self._versions.popitem(last=False)
        if not ended.done():
            ended.set_result(None)

    def _open(self, model: str, version: str, file: _File) -> LocalGraph | _Left:
        path = self._path(model, version)
        # With the constants that lie apart.
        if sum(each.stat().st_size for each in path.parent.glob(f"{GRAPH}*")) > self._most_bytes:
            logger.info("%s is larger than a graph that a replica runs itself; Triton runs it", path)
            return _Left(file)
        try:
            verify(path.parent)
            session = _session(path)
        # ONNX Runtime's exceptions have no base of their own.
        except (RepositoryError, OSError, RuntimeError, ValueError) as error:
            logger.warning("%s cannot be opened here, Triton runs it: %s", path, error)
            return _Left(file)
        if any(tensor.type == "tensor(string)" for tensor in session.get_inputs()):
            return _Left(file)
        return LocalGraph(session, file)

    def _path(self, model: str, version: str) -> Path:
        return self._folder / model / version / GRAPH


def _file(path: Path) -> _File | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _session(path: Path) -> InferenceSession:
    # Only a process that runs a graph pays for the library.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
