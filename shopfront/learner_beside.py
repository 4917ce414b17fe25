"""The learner beside a router: a process that begins once a scene needs it, and is watched from then on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from router.query_features.registry import QUERY_FEATURES
from router.scenes.features import scene_features
from router.scenes.problems import SettingsError
from server.composition.scenes import scene_configuration
from server.settings import RouterSettings
from shopfront.watched_process import Change, ProcessStartError, WatchedProcess

_STOPS_WITHIN_S = 20.0


def reads_the_learner(settings: RouterSettings) -> bool:
    """Whether a scene, or an arm of an experiment, reads what the learner publishes.

    Raises:
        SettingsError: the scenes or the experiments are wrong.
        OSError: they cannot be read.
    """
    scenes = scene_configuration(settings).load(settings.scenes)
    choices = [choice.settings for plan in scenes.plans.values() for choice in plan.choices.values()]
    read = scene_features([*scenes.by_name.values(), *choices])
    return any(QUERY_FEATURES[name].from_learner for name in read if name in QUERY_FEATURES)


class LearnerBeside:
    """Starts the learner when it is needed; not safe for several threads."""

    def __init__(
        self,
        settings: RouterSettings,
        arguments: Sequence[str],
        logs: Path,
        report: Callable[[str], None],
        count: Callable[[Change], None] = lambda change: None,
    ) -> None:
        """Starts nothing.

        Args:
            settings: whether and when a learner is needed.
            arguments: of `shopfront learn`.
            logs: folder for learner.log.
            report: receives a line, perhaps from another thread, when it begins while the router runs, has
                ended, and cannot be started.
            count: as of `WatchedProcess`.
        """
        self._settings = settings
        self._report = report
        self._watch = WatchedProcess(
            "learner",
            [sys.executable, "-m", "shopfront", "learn", *arguments],
            os.environ,
            logs / "learner.log",
            report,
            count=count,
            stops_within_s=_STOPS_WITHIN_S,
        )
        self._seen: list[tuple[int, int] | None] = []
        self._is_over = settings.learning.enabled is False
        self.is_started = False
        """Whether there is a learner, which then stays until `stop`."""

    def look(self) -> None:
        """Starts the learner where the configuration has come to need it."""
        if self._is_over or self.is_started:
            return
        seen = [_version(path) for path in (self._settings.scenes, self._settings.experiments) if path]
        if seen == self._seen:
            return
        is_edit, self._seen = bool(self._seen), seen
        try:
            if self._settings.learning.enabled == "auto" and not reads_the_learner(self._settings):
                return
        except (SettingsError, OSError):
            # The router says what is wrong with an edit, and serves what was there.
            return
        try:
            self._watch.start()
        except ProcessStartError as error:
            self._is_over = True
            self._report(f"Nothing is learned: {error}")
            return
        self.is_started = True
        if is_edit:
            self._report("the learner begins: the scenes read what it publishes")

    def stop(self) -> None:
        """Ends the learner."""
        if self.is_started:
            self._watch.stop()
        self._is_over = True


@contextmanager
def learner_beside(
    settings: RouterSettings,
    arguments: Sequence[str],
    logs: Path,
    report: Callable[[str], None],
    count: Callable[[Change], None] = lambda change: None,
) -> Iterator[LearnerBeside]:
    """A learner while the body runs, where it is needed; call `look` now and then. As `LearnerBeside`."""
    learner = LearnerBeside(settings, arguments, logs, report, count)
    learner.look()
    try:
        yield learner
    finally:
        learner.stop()


def _version(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
