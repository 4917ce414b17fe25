"""A circuit breaker: a model that no longer answers is not waited for by every request.

Each version of a model has a circuit (Nygard, *Release It!*, 2007). Closed, every call goes through. Where
calls of several requests in a row went unanswered it opens: calls fail at once, so that a request costs no
timeout. After a pause one call at a time goes through as a probe; an answer closes the circuit, silence opens
it again. When one version answers again, the other versions of the model are probed by their next calls.

Only silence counts. A server that is down or refuses says so at once and costs nobody time, and any word of
it, an error too, shows that the next call will not be waited for in vain. And a request whose calls are made
side by side, one for each scene of a page or each part of its candidates, is one witness: that all of them
missed one deadline says no more than that one did.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from pipeline.stages import DependencyError
from router.ranking.settings import BreakerSettings

log = logging.getLogger(__name__)

Event = Literal["opened", "refused", "closed"]
"""A circuit opened; a call failed at once because of it; it closed."""


class NoAnswer(DependencyError):
    """A call was waited for until its timeout, and no answer came."""


@dataclass(slots=True)
class _Circuit:
    """A version of a model whose last call went unanswered.

    silent   of its latest unanswered calls, one of a request, oldest first: the second at which it ended, and
             the request; "" where none is known
    opened   second at which it was opened, or last probed in vain; None: it is closed
    probing  whether a probe is under way
    """

    silent: deque[tuple[float, str]]
    opened: float | None = None
    probing: bool = False


def _unheard(model: str, event: Event) -> None:
    """What is reported where nobody listens."""


class CircuitBreaker:
    """The circuits of a process's calls, for the coroutines of one event loop.

    clock   seconds, monotonic
    report  called when the circuit of a model changes; must be cheap and not raise
    """

    def __init__(
        self,
        settings: BreakerSettings,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str, Event], None] = _unheard,
    ) -> None:
        """All circuits are closed at first."""
        self._settings = settings
        self._clock = clock
        self._report = report
        self._circuits: dict[tuple[str, str], _Circuit] = {}

    @contextmanager
    def call(self, model: str, version: str, request_id: str = "") -> Iterator[None]:
        """Guards the one call that its block makes of a version of a model.

        `request_id` names the request that it is made for: of one request one unanswered call counts; without
        a name, each does. Where the block raises `NoAnswer` or is cancelled, the call went unanswered; it
        counts if it was waited for at least `patience_ms`, since a hurried caller proves nothing. All else is
        an answer. Raises DependencyError where the circuit is open.
        """
        key = (model, version)
        probed = self._admit(key)
        began = self._clock()
        try:
            yield
        except (NoAnswer, asyncio.CancelledError):
            now = self._clock()
            if (now - began) * 1000.0 >= self._settings.patience_ms:
                self._went_unanswered(key, now, probed, request_id)
            elif probed is not None:
                probed.probing = False
            raise
        except Exception:
            self._was_answered(key)
            raise
        self._was_answered(key)

    def _admit(self, key: tuple[str, str]) -> _Circuit | None:
        """The circuit that the call now admitted probes; None where it is closed."""
        circuit = self._circuits.get(key)
        if circuit is None or circuit.opened is None:
            return None
        wait = circuit.opened + self._settings.open_s - self._clock()
        if wait > 0 or circuit.probing:
            model, version = key
            self._report(model, "refused")
            next_try = f"follows in {wait:.1f} s" if wait > 0 else "is under way"
            raise DependencyError(
                f"{model} version {version} is not asked, since its last calls went unanswered;"
                f" the next try {next_try}"
            )
        circuit.probing = True
        return circuit

    def _went_unanswered(
        self, key: tuple[str, str], now: float, probed: _Circuit | None, request_id: str
    ) -> None:
        enough = self._settings.timeouts
        if not enough:
            return
        circuit = self._circuits.get(key)
        if circuit is None:
            circuit = self._circuits[key] = _Circuit(deque(maxlen=enough))
        if circuit.opened is not None:
            # A call from before the opening adds nothing new.
            if circuit is probed:
                circuit.opened, circuit.probing = now, False
            return
        if request_id and any(request_id == counted for _, counted in circuit.silent):
            return
        circuit.silent.append((now, request_id))
        if len(circuit.silent) == enough and now - circuit.silent[0][0] <= self._settings.window_s:
            circuit.opened = now
            log.warning(
                "%s version %s went unanswered for %d requests in a row; it is asked again in %.1f s",
                *key,
                enough,
                self._settings.open_s,
            )
            self._report(key[0], "opened")

    def _was_answered(self, key: tuple[str, str]) -> None:
        if not self._circuits:
            return
        circuit = self._circuits.pop(key, None)
        if circuit is not None and circuit.opened is not None:
            log.info("%s version %s answers again", *key)
            self._report(key[0], "closed")
            self._let_others_try(key[0])

    def _let_others_try(self, model: str) -> None:
        """The next call of each other version is a probe: one server has them all, and it answers again."""
        due = self._clock() - self._settings.open_s
        for (other, _), circuit in self._circuits.items():
            if other == model and circuit.opened is not None:
                circuit.opened = min(circuit.opened, due)
