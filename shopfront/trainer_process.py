"""Training of one model in a process of its own, beside this one.

Training keeps one core busy (`threads` of a model's settings), so that models that need nothing of each other
are trained in the time of the longest. The weights are the same: a model's seed fixes them, wherever it is
trained.

The process reads its order from standard input and writes a line of JSON after every step, and one with what
came of it.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO, Any

import msgspec

from models.registry import MODELS
from models.settings import ModelKindSettings
from models.training_loop import TrainingError
from shopfront.build_process import begin, end, orders_and_answers
from shopfront.training import Trained, train_model

Report = Callable[[int, int, float, dict[str, float]], None]
"""Called with step, steps, loss and the latest metrics."""


class _Order(msgspec.Struct, frozen=True):
    plugins: list[str]
    model: str
    dataset: str
    settings: dict[str, Any]
    checkpoints: str
    rules: dict[str, dict[str, Any]]


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    step: tuple[int, int, float, dict[str, float]] | None = None
    trained: tuple[str, dict[str, float]] | None = None
    fault: str = ""


class TrainerProcess:
    """A model that is being trained by another process, which ends with the thread that started it."""

    def __init__(
        self,
        plugins: tuple[str, ...],
        model: str,
        dataset: Path,
        settings: ModelKindSettings,
        to: Path,
        rules: dict[str, dict[str, Any]],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Starts to train a registered model.

        Args:
            plugins: the setting `plugins`.
            model: its name in the registry; one without teachers.
            dataset: folder of the data set.
            settings: its section of the settings.
            to: folder of all models' checkpoints.
            rules: as of `shopfront.training.train_model`.
            on_end: called, from another thread, when the process trains no more.
        """
        self._on_end = on_end
        self.began = monotonic()
        """When it started, seconds of `time.monotonic`."""
        self.ended: float | None = None
        """When what it trained was there."""
        self._model = model
        self._report: Report | None = None
        self._came: _Message | None = None
        self._process = begin("shopfront.trainer_process", one_core=False)
        order = _Order(
            list(plugins),
            model,
            str(dataset.resolve()),
            settings.model_dump(mode="json"),
            str(to.resolve()),
            rules,
        )
        assert self._process.stdin is not None
        # A process that has died already is reported by `wait`.
        with suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(msgspec.json.encode(order))
        self._reader = threading.Thread(target=self._read, name=f"training of {model}", daemon=True)
        self._reader.start()

    def wait(self, report: Report) -> Trained:
        """Returns what was trained; calls `report` after every step from now on.

        Raises:
            TrainingError: it cannot be trained, or its process died; the message says why.
        """
        self._report = report
        self._reader.join()
        status = self._process.wait()
        if self._came is not None and self._came.trained is not None:
            return Trained(*self._came.trained)
        if self._came is not None:
            raise TrainingError(self._came.fault)
        raise TrainingError(
            f"the process that trained {self._model} ended with status {status} before it was done; where "
            "memory is short, set parallel_training to false"
        )

    def checkpoint(self) -> str | None:
        """Waits until it has trained; the checkpoint's name, None where it could not be trained."""
        self._reader.join()
        came = self._came
        return None if came is None or came.trained is None else came.trained[0]

    def stop(self) -> None:
        """Ends the process where it still trains."""
        end(self._process)
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                message = msgspec.json.decode(line, type=_Message)
                if message.step is None:
                    self._came, self.ended = message, monotonic()
                elif self._report is not None:
                    self._report(*message.step)
        self._on_end()


def main(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Trains as ordered; faults of data and settings are answered, a bug ends the process."""
    from evaluation.errors import EvaluationError
    from models.checkpoint import CheckpointError
    from shopfront import plugins
    from snapshot.dataset import DatasetStore
    from snapshot.manifest import SnapshotError

    order = msgspec.json.decode(orders.read(), type=_Order)

    def answer(message: _Message) -> None:
        answers.write(msgspec.json.encode(message) + b"\n")
        answers.flush()

    def progress(step: int, steps: int, loss: float, metrics: dict[str, float]) -> None:
        answer(_Message(step=(step, steps, loss, metrics)))

    plugins.load(order.plugins)
    folder = Path(order.dataset)
    try:
        trained = train_model(
            order.model,
            DatasetStore(folder.parent).open(folder.name, verify=False),
            MODELS[order.model].settings.model_validate(order.settings),
            Path(order.checkpoints),
            progress,
            {},
            rules=order.rules,
        )
    except (TrainingError, CheckpointError, SnapshotError, EvaluationError) as error:
        answer(_Message(fault=str(error)))
    else:
        answer(_Message(trained=(trained.checkpoint, trained.metrics)))


if __name__ == "__main__":
    main(*orders_and_answers())
