"""What every replica would fail with, found before Ray is started and has tried several times.

The check imports all that a replica does, and its process ends with it: the router's own process, which
starts Ray and waits, does without 50 MiB.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from server.settings import RouterSettings

logger = logging.getLogger(__name__)


class StartCheck:
    """The check, in a process that ends with it, while this one goes on."""

    def __init__(self, settings: Mapping[str, Any], plugins: Sequence[str]) -> None:
        """Begins it. Must be called while this process has one thread, since it is copied.

        Args:
            settings: `RouterSettings` as JSON values.
            plugins: modules that each replica loads before it reads the settings.
        """
        context = multiprocessing.get_context("fork")
        self._reading, writing = context.Pipe(duplex=False)
        self._process = context.Process(target=_check, args=(writing, settings, plugins), name="start-check")
        self._process.start()
        writing.close()

    def failure(self) -> str:
        """Waits for its end; why replicas would fail, in one line, "" where they would not.

        Its trace is logged.
        """
        try:
            reason = str(self._reading.recv())
        except EOFError:
            reason = ""
        self._process.join()
        if self._process.exitcode != 0 and not reason:
            reason = f"the check of its settings ended with status {self._process.exitcode}"
        return reason


def in_one_line(error: BaseException) -> str:
    """The last line of an exception's message, or the name of its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _check(writing: Connection, settings: Mapping[str, Any], plugins: Sequence[str]) -> None:
    try:
        _check_what_replicas_need(settings, plugins)
    except Exception as error:
        logger.exception("the router does not start")
        writing.send(in_one_line(error))


def _check_what_replicas_need(settings: Mapping[str, Any], plugins: Sequence[str]) -> None:
    # Only in the process that ends.
    gc.disable()
    from server.composition.scenes import scene_configuration
    from server.ingress.bearer_tokens import BearerTokens
    from server.ingress.tls import server_credentials
    from server.plugins import load
    from server.settings import RouterSettings
    from server.written_folders import check_written_folders
    from snapshot.last_good import open_usable
    from snapshot.store import SnapshotStore

    load(plugins)
    checked = RouterSettings.model_validate(settings)
    scene_configuration(checked).load(checked.scenes)
    open_usable(SnapshotStore(checked.snapshots.folder))
    check_written_folders(checked)
    _open_stores(checked)
    BearerTokens(checked.ingress.tokens)
    if checked.ingress.tls is not None:
        server_credentials(checked.ingress.tls)


def _open_stores(settings: RouterSettings) -> None:
    """Raises where a store on this machine's disk cannot be opened; a server may come up later."""
    from rollout.registry import open_rollout_store
    from state.registry import open_state

    if settings.state.url.startswith("lmdb://"):
        open_state(settings.state).close()
    if settings.rollout.url.startswith("lmdb://"):
        open_rollout_store(settings.rollout.url).close()
