"""An index of pictures in shards, each asked at once; what does not answer is left out and named."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import DependencyError
from recall.pictures.searched import Alike, IndexChange, Pictured, best_items
from recall.pictures.settings import SimilarLookSettings
from recall.pictures.shard import Shard, ShardBehind, ShardStatus
from recall.pictures.silent_shards import SilentShards

logger = logging.getLogger(__name__)

_APPLY_S = 5.0
"""Longest wait for a shard that takes up changes, seconds. One that copies an index may take longer: it is
given them again, which changes nothing."""
_STATUS_S = 2.0
_FOLLOW_PAUSE_S = 5.0
"""Seconds for which a shard that did not say how far it is, or take up changes, in time is given none: the
others would wait for it."""


@dataclass(frozen=True)
class Lost:
    """A shard that gave no answer, and why; silent: it was waited for until the timeout."""

    why: str
    silent: bool = False


class Shards(Protocol):
    """Shards wherever they are, numbered from 0."""

    def ask(
        self, calls: Mapping[int, tuple[str, tuple[Any, ...]]], timeout_s: float
    ) -> dict[int, Any | Lost]:
        """Calls methods of `Shard` (name, arguments) by the number of the shard, all at once."""
        ...

    def renew(self, number: int) -> None:
        """Opens a shard again that was lost, where nothing else does; returns before it is open."""
        ...


OpenShards = Callable[[Sequence[Path], int, SimilarLookSettings], Shards]
"""(folders of the shards, D, settings) → the shards, open. Raises SnapshotError where one is torn."""


class ShardsInProcess:
    """All shards in this process, which has no cluster: a program that measures a snapshot."""

    def __init__(self, folders: Sequence[Path], dimensions: int, settings: SimilarLookSettings) -> None:
        """Maps each. Raises SnapshotError where one is torn."""
        self._shards = [Shard.open(folder, dimensions, settings) for folder in folders]

    def ask(
        self, calls: Mapping[int, tuple[str, tuple[Any, ...]]], timeout_s: float
    ) -> dict[int, Any | Lost]:
        """As the contract says, one after the other; nothing is ever lost but what is behind."""
        answers: dict[int, Any | Lost] = {}
        for number, (method, arguments) in calls.items():
            try:
                answers[number] = getattr(self._shards[number], method)(*arguments)
            except ShardBehind as error:
                answers[number] = Lost(str(error))
        return answers

    def renew(self, number: int) -> None:
        """Does nothing."""


class ShardedIndex:
    """Searches all shards and joins what they find; changes go to the shard of their item."""

    waits = True

    def __init__(
        self,
        shards: Shards,
        bounds: NDArray[np.int32],
        revision: int,
        timeout_s: float,
        silent: SilentShards,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing.

        Args:
            shards: n of them.
            bounds: int32[n + 1]; shard s holds the items from bounds[s] + 1 to bounds[s + 1].
            revision: of the last change that is in the snapshot.
            timeout_s: longest wait for a shard that searches.
            silent: says which are not asked by a search.
            clock: seconds, monotonic.
        """
        self._shards = shards
        self._bounds = bounds
        self._applied = revision
        self._timeout_s = timeout_s
        self._silent = silent
        # A single wait in vain counts: it is long.
        self._following = SilentShards(_STATUS_S / 2, _FOLLOW_PAUSE_S, clock)
        self._unheard: set[int] = set()
        self._statuses = [ShardStatus(revision, 0, 0) for _ in bounds[1:]]

    @property
    def pictures(self) -> tuple[int, int]:
        """Of the snapshot and arrived since, as the shards last said."""
        return sum(each.main for each in self._statuses), sum(each.delta for each in self._statuses)

    @property
    def revision(self) -> int:
        """Of the last change in every shard that answers now; asks them, and opens lost ones again.

        A shard that was opened again begins at the snapshot's revision, and is searched once it has been
        given the changes that this index had been given before. One that keeps silent is not asked for a
        while, so that the others need not wait for it each time.
        """
        answers = self._follow(dict.fromkeys(range(len(self._statuses)), ("status", ())), _STATUS_S)
        for number, answer in answers.items():
            if isinstance(answer, Lost):
                self._shards.renew(number)
        return min(
            (answer.revision for answer in answers.values() if isinstance(answer, ShardStatus)),
            default=self._applied,
        )

    def apply(self, changes: Sequence[IndexChange], revision: int) -> None:
        """Takes up changes in their order, up to a revision. Repeatable.

        A shard that does not answer is waited for once, for 5 s, and not at all where it kept `revision`
        waiting. It is not searched until `revision` says what it lacks and it was given it.
        """
        own: list[list[IndexChange]] = [[] for _ in self._statuses]
        for change in changes:
            number = int(self._shard_of(np.array([change.item]))[0])
            own[number].append(replace(change, item=change.item - int(self._bounds[number])))
        calls = {number: ("apply", (part, revision)) for number, part in enumerate(own)}
        self._applied = max(self._applied, revision)
        self._follow(calls, _APPLY_S)

    def vectors_of(self, items: NDArray[np.int32]) -> Pictured:
        """As `PictureIndex.vectors_of`."""
        of_shard = self._shard_of(items)
        wanted = np.unique(of_shard).tolist()
        answers = self._ask(
            {
                number: (
                    "vectors_of",
                    (self._applied, (items[of_shard == number] - self._bounds[number]).astype(np.int32)),
                )
                for number in wanted
            }
        )
        found = [
            (answer.items + self._bounds[number], answer.vectors)
            for number, answer in sorted(answers.items())
            if not isinstance(answer, Lost) and len(answer.items)
        ]
        missing = self._missing(answers)
        if not found:
            return Pictured(np.empty(0, np.int32), np.empty((0, 0), np.float32), missing)
        known, vectors = (np.concatenate(column) for column in zip(*found, strict=True))
        place = {item: at for at, item in reversed(list(enumerate(items.tolist())))}
        order = np.argsort([place[item] for item in known.tolist()], kind="stable")
        return Pictured(known[order].astype(np.int32), vectors[order], missing)

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        *,
        category: int = 0,
        eligible: NDArray[np.bool_] | None = None,
        minimum: float = -1.0,
    ) -> Alike:
        """As `PictureIndex.search`. Raises DependencyError where no shard answers."""
        if k <= 0:
            return Alike(np.empty(0, np.int32), np.empty(0, np.float32))
        calls = {
            number: (
                "search",
                (self._applied, vector, k, category, self._own_bits(eligible, number), minimum),
            )
            for number in range(len(self._statuses))
        }
        answers = self._ask(calls)
        missing = self._missing(answers)
        found = [
            (answer.items + self._bounds[number], answer.likeness)
            for number, answer in sorted(answers.items())
            if not isinstance(answer, Lost)
        ]
        if not found:
            raise DependencyError(f"no part of the index of pictures answers: {missing}")
        items, likeness = (np.concatenate(column) for column in zip(*found, strict=True))
        return best_items(items, likeness, k, missing)

    def _ask(self, calls: Mapping[int, tuple[str, tuple[Any, ...]]]) -> dict[int, Any | Lost]:
        """What a search asks of shards, but of those that keep searches waiting."""
        answers, left_out = self._ask_within(self._silent, calls, self._timeout_s)
        return answers | {number: Lost(why) for number, why in left_out.items()}

    def _follow(
        self, calls: Mapping[int, tuple[str, tuple[Any, ...]]], timeout_s: float
    ) -> dict[int, Any | Lost]:
        """What following the changes asks of shards; says in the log which give no answer."""
        answers, _ = self._ask_within(self._following, calls, timeout_s)
        for number, answer in answers.items():
            part = f"part {number + 1} of {len(self._statuses)} of the index of pictures"
            if isinstance(answer, ShardStatus):
                self._statuses[number] = answer
                if number in self._unheard:
                    self._unheard.remove(number)
                    logger.warning("%s answers again", part)
            elif number not in self._unheard:
                self._unheard.add(number)
                logger.warning("%s: %s; until it answers, nothing in it is found", part, answer.why)
        return answers

    def _ask_within(
        self, silences: SilentShards, calls: Mapping[int, tuple[str, tuple[Any, ...]]], timeout_s: float
    ) -> tuple[dict[int, Any | Lost], dict[int, str]]:
        """Answers of the shards that are asked, and why others are not."""
        began, left_out = silences.begin(list(calls))
        asked = {number: call for number, call in calls.items() if number not in left_out}
        answers = self._shards.ask(asked, timeout_s) if asked else {}
        late = [number for number, answer in answers.items() if isinstance(answer, Lost) and answer.silent]
        silences.end(began, late, [number for number in answers if number not in late])
        return answers, left_out

    def _own_bits(self, eligible: NDArray[np.bool_] | None, number: int) -> NDArray[np.uint8] | None:
        if eligible is None:
            return None
        first, after = self._bounds[number : number + 2].tolist()
        return np.packbits(np.concatenate(([False], eligible[first + 1 : after + 1])))

    def _shard_of(self, items: NDArray[Any]) -> NDArray[np.int64]:
        return np.searchsorted(self._bounds, items, side="left") - 1

    def _missing(self, answers: Mapping[int, Any | Lost]) -> str:
        count = len(self._statuses)
        return "; ".join(
            f"part {number + 1} of {count}: {answer.why}"
            for number, answer in sorted(answers.items())
            if isinstance(answer, Lost)
        )
