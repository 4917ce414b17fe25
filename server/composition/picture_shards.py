"""Shards of the index of pictures as Ray actors: one each, for all replicas, wherever Ray places it."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from recall.pictures.settings import SimilarLookSettings
from recall.pictures.shard import Shard, ShardBehind, ShardStatus
from recall.pictures.sharded_index import Lost
from snapshot.manifest import SnapshotError

logger = logging.getLogger(__name__)

_NAMESPACE = "shopfront-pictures"
_CALLS = 8
"""Calls that one actor answers side by side."""
_OPEN_S = 120.0
_RENEW_S = 10.0
"""Seconds between two starts of an actor: one whose files are gone ends as often as it is started."""
_IDLE_S, _LOOK_S = 120.0, 5.0
"""Seconds without a call after which an actor ends itself, and between its looks: replicas ask for its status
several times a second as long as they have its snapshot open."""


class ShardActor:
    """A shard in a process of its own, which outlives the replica that started it."""

    def __init__(self, folder: Path, dimensions: int, settings: SimilarLookSettings) -> None:
        """Opens the shard; see `Shard.open`."""
        self._shard = Shard.open(folder, dimensions, settings)
        self._called = time.monotonic()
        own = ray.get_runtime_context().current_actor
        threading.Thread(target=self._end_when_idle, args=(own,), daemon=True).start()

    def call(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """What a method of the shard returns or raises."""
        self._called = time.monotonic()
        return getattr(self._shard, method)(*arguments)

    def _end_when_idle(self, own: Any) -> None:
        while time.monotonic() - self._called < _IDLE_S:
            time.sleep(_LOOK_S)
        ray.kill(own)


class RayShards:
    """The actors of one snapshot's shards, as one replica calls them."""

    def __init__(self, folders: Sequence[Path], dimensions: int, settings: SimilarLookSettings) -> None:
        """Finds the actors, or starts those that are not there, and waits until each has answered.

        Raises SnapshotError where one does not open its files, or has not opened them in two minutes.
        """
        self._folders = [folder.resolve() for folder in folders]
        self._dimensions, self._settings = dimensions, settings
        self._renewed = [float("-inf") for _ in folders]
        self.actors = [self._started(number) for number in range(len(folders))]
        """Their handles, by the number of the shard."""
        answers = self.ask(dict.fromkeys(range(len(folders)), ("status", ())), _OPEN_S)
        for number, answer in answers.items():
            if not isinstance(answer, ShardStatus):
                raise SnapshotError(
                    folders[number], "", f"cannot be opened by Ray: {answer.why}", "build the snapshot again"
                )

    def ask(
        self, calls: Mapping[int, tuple[str, tuple[Any, ...]]], timeout_s: float
    ) -> dict[int, Any | Lost]:
        """As `Shards` says; a shard whose actor died, is starting or is late is lost."""
        pending = {
            number: self.actors[number].call.remote(method, arguments)
            for number, (method, arguments) in calls.items()
        }
        ray.wait(list(pending.values()), num_returns=len(pending), timeout=timeout_s)
        answers: dict[int, Any | Lost] = {}
        for number, reference in pending.items():
            try:
                answers[number] = ray.get(reference, timeout=0)
            except GetTimeoutError:
                answers[number] = Lost(f"no answer in {timeout_s * 1_000:.0f} ms", silent=True)
            except RayTaskError as error:
                if not isinstance(error.cause, ShardBehind):
                    raise
                answers[number] = Lost(str(error.cause))
            except RayError as error:
                answers[number] = Lost(f"its process is gone ({type(error).__name__})")
        return answers

    def renew(self, number: int) -> None:
        """Starts an actor that ended for good; Ray itself starts one that died."""
        now = time.monotonic()
        if now - self._renewed[number] < _RENEW_S:
            return
        self._renewed[number] = now
        actor = self._started(number)
        if actor != self.actors[number]:
            logger.warning("shard %s was started again", self._folders[number])
            self.actors[number] = actor

    def end(self) -> None:
        """Ends the actors, for all replicas."""
        for actor in self.actors:
            ray.kill(actor)

    def _started(self, number: int) -> Any:
        folder = self._folders[number]
        return (
            ray.remote(ShardActor)
            .options(
                name=hashlib.blake2b(str(folder).encode(), digest_size=16).hexdigest(),
                namespace=_NAMESPACE,
                get_if_exists=True,
                lifetime="detached",
                max_restarts=-1,
                max_concurrency=_CALLS,
                num_cpus=0,
                scheduling_strategy="SPREAD",
            )
            .remote(folder, self._dimensions, self._settings)
        )
