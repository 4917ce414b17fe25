"""The tables of channels that need no model, built in a process of their own while models are trained.

What such a channel is built from is there before the first step of training. The process begins when a core
is free, and uses one.

The process reads its order from standard input and writes one message of JSON.
"""

import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from recall.build import RECALL_FOLDER, ChannelRows, build_channels, enabled_channels, move_channels, only
from recall.part_build import PartBuildError
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from shopfront.build_process import begin, end, orders_and_answers
from snapshot.dataset import DatasetStore
from snapshot.store import SnapshotStore


class _Order(msgspec.Struct, frozen=True):
    plugins: list[str]
    dataset: str
    data: str
    recall: dict[str, Any]
    no_pictures: str
    seed: int
    folder: str


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    rows: dict[str, dict[str, int]] | None = None
    fault: str = ""


def without_models(settings: RecallSettings) -> RecallSettings:
    """The settings with all channels switched off that are built from a model, or call one."""
    return only(settings, [name for name in enabled_channels(settings) if not CHANNELS[name].models])


class ChannelsProcess:
    """Channels that are built by another process, which ends with this one."""

    def __init__(
        self,
        plugins: tuple[str, ...],
        dataset: Path,
        data: Path | None,
        settings: RecallSettings,
        no_pictures: str,
        seed: int,
        snapshots: Path,
        wait: Callable[[], object],
    ) -> None:
        """Begins to build the channels of `without_models(settings)` once `wait` returns.

        Args:
            plugins: the setting `plugins`.
            dataset: folder of the data set.
            data: the shop's folder; None where there is none.
            settings: of recall.
            no_pictures: why the items' pictures are not used; channels of a shop whose pictures are used
                cannot be built before those are encoded.
            seed: of the tables.
            snapshots: root of the snapshots, which the tables will be part of.
            wait: returns when a core is free.
        """
        self._store = SnapshotStore(snapshots)
        self._staged = self._store.stage()
        self._order = _Order(
            list(plugins),
            str(dataset.resolve()),
            "" if data is None else str(data.resolve()),
            without_models(settings).model_dump(mode="json"),
            no_pictures,
            seed,
            str((self._staged / RECALL_FOLDER).resolve()),
        )
        self._wait = wait
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._said = b""
        # The process ends with the thread that starts it, so that one waits for its end.
        self._thread = threading.Thread(target=self._run, name="channels", daemon=True)
        self._thread.start()

    def take(self, folder: Path) -> ChannelRows:
        """Waits for the tables and moves them into the recall folder `folder` of a snapshot.

        Returns channel → table → entries, as `build_channels` does.

        Raises:
            PartBuildError: a channel cannot be built, or the process died; the message says why.
        """
        self._thread.join()
        if not self._said:
            status = None if self._process is None else self._process.returncode
            raise PartBuildError(
                f"the process that built recall tables ended with status {status} before it was done; where "
                "memory is short, set parallel_training to false"
            )
        message = msgspec.json.decode(self._said, type=_Message)
        if message.rows is None:
            raise PartBuildError(message.fault)
        move_channels(Path(self._order.folder), folder)
        return message.rows

    def wait(self) -> None:
        """Returns when the tables are built, or cannot be."""
        self._thread.join()

    def stop(self) -> None:
        """Ends the process where it still builds, and removes what nobody took."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            end(process)
            self._thread.join()
        self._store.discard(self._staged)

    def _run(self) -> None:
        self._wait()
        with self._lock:
            if self._stopped:
                return
            self._process = begin("shopfront.channels_process", one_core=True)
        # A process that has died already is reported by `take`.
        with suppress(BrokenPipeError):
            self._said = self._process.communicate(msgspec.json.encode(self._order))[0]


def main(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Builds as ordered; what is wrong with data or settings is answered, a bug ends the process."""
    from ingest.shop_tables import IngestError
    from shopfront import plugins
    from shopfront.channel_source import channel_source
    from snapshot.manifest import SnapshotError

    order = msgspec.json.decode(orders.read(), type=_Order)
    plugins.load(order.plugins)
    dataset = Path(order.dataset)
    try:
        source, _ = channel_source(
            DatasetStore(dataset.parent).open(dataset.name, verify=False),
            Path(order.data) if order.data else None,
            order.seed,
            order.no_pictures,
        )
        settings = RecallSettings.model_validate(order.recall)
        message = _Message(rows=build_channels(source, Path(order.folder), settings))
    except (PartBuildError, IngestError, SnapshotError) as error:
        message = _Message(fault=str(error))
    answers.write(msgspec.json.encode(message))
    answers.flush()


if __name__ == "__main__":
    main(*orders_and_answers())
