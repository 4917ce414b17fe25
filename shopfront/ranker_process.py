"""The last layer of ranking, fitted in a process of its own while the model beside which it is fitted learns.

Most of the fit needs no score of that model: channels as of the validation cut, the candidates of every
shopper and their inputs, and the regressions of pages about an item. The process begins when a core is free,
and waits for the model's checkpoint when it has done all that it can do without.

The process reads its order from standard input, then a line with the name of the awaited checkpoint, and
writes a line of JSON at each stage, and one with what came of it.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from recall.part_build import PartBuildError
from shopfront.build_process import begin, end, orders_and_answers
from shopfront.settings import Settings
from shopfront.workspace import Workspace

Report = Callable[[str, float], None]
"""Called with what is under way and the share done, 0…1."""


class _Order(msgspec.Struct, frozen=True):
    plugins: list[str]
    settings: dict[str, Any]
    workspace: str
    dataset: str
    checkpoints: dict[str, str]
    awaited: str


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    stage: tuple[str, float] | None = None
    fitted: str = ""
    fault: str = ""


class RankerProcess:
    """The last layer that is being fitted by another process, which ends with this one."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        dataset: str,
        awaited: str,
        others: Callable[[], Mapping[str, str] | None],
    ) -> None:
        """Begins to fit once `others` returns.

        Args:
            workspace: whose checkpoints are read, and where the weights are kept.
            settings: of the build.
            dataset: the data set's id.
            awaited: the model whose checkpoint `take` brings.
            others: waits for a core, and returns model → checkpoint of all other models; None where one of
                them failed, and nothing is fitted.
        """
        self._workspace, self._settings = workspace, settings
        self._dataset, self._awaited, self._others = dataset, awaited, others
        self._report: Report | None = None
        self._came = _Message()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._checkpoint: str | None = None
        self._stopped = False
        # The process ends with the thread that starts it, so that one waits for its end.
        self._thread = threading.Thread(target=self._run, name="ranker", daemon=True)
        self._thread.start()

    def trained(self, model: str, checkpoint: str) -> None:
        """Names the checkpoint of the awaited model, so that the process goes on; others are passed over."""
        if model != self._awaited:
            return
        with self._lock:
            self._checkpoint = checkpoint
            if self._process is not None:
                self._send(checkpoint)

    def take(self, report: Report) -> str:
        """Waits for the fit, after `trained`; returns the id of the folder under `rankers/`.

        Raises:
            PartBuildError: it cannot be fitted, or the process died; the message says why.
        """
        self._report = report
        self._thread.join()
        if self._came.fault:
            raise PartBuildError(self._came.fault)
        if not self._came.fitted:
            status = None if self._process is None else self._process.returncode
            raise PartBuildError(
                f"the process that fitted the last layer ended with status {status} before it was done; "
                "where memory is short, set parallel_training to false"
            )
        return self._came.fitted

    def stop(self) -> None:
        """Ends the process where it still fits."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            end(process)
            self._thread.join()

    def _run(self) -> None:
        others = self._others()
        if others is None:
            return
        order = _Order(
            list(self._settings.plugins),
            self._settings.model_dump(mode="json"),
            str(self._workspace.root.resolve()),
            self._dataset,
            dict(others),
            self._awaited,
        )
        with self._lock:
            if self._stopped:
                return
            self._process = begin("shopfront.ranker_process", one_core=True)
            self._send(msgspec.json.encode(order).decode())
            if self._checkpoint is not None:
                self._send(self._checkpoint)
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                message = msgspec.json.decode(line, type=_Message)
                if message.stage is None:
                    self._came = message
                elif self._report is not None:
                    self._report(*message.stage)
        self._process.wait()
        with self._lock, suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _send(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # A process that has died already, and whose input is closed, is reported by `take`.
        with suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()


def main(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Fits as ordered; what is wrong with data or settings is answered, a bug ends the process."""
    from evaluation.errors import EvaluationError
    from models.checkpoint import CheckpointError
    from router.scenes.problems import SettingsError
    from shopfront import plugins, ranker
    from snapshot.manifest import SnapshotError

    order = msgspec.json.decode(orders.readline(), type=_Order)
    plugins.load(order.plugins)
    settings, workspace = Settings.model_validate(order.settings), Workspace(Path(order.workspace))

    def folder(model: str, checkpoint: str) -> Path:
        return workspace.checkpoints / model / checkpoint

    def awaited() -> Path:
        line = orders.readline()
        if not line:
            # Whoever would have named it is gone, or trains it no more.
            sys.exit(1)
        return folder(order.awaited, line.decode().strip())

    def answer(message: _Message) -> None:
        answers.write(msgspec.json.encode(message) + b"\n")
        answers.flush()

    try:
        fitted = ranker.fit(
            workspace,
            settings,
            order.dataset,
            {model: folder(model, checkpoint) for model, checkpoint in order.checkpoints.items()},
            lambda what, share: answer(_Message(stage=(what, share))),
            awaited,
        )
    except (CheckpointError, EvaluationError, PartBuildError, SettingsError, SnapshotError) as error:
        answer(_Message(fault=str(error)))
    else:
        answer(_Message(fitted=fitted))


if __name__ == "__main__":
    main(*orders_and_answers())
