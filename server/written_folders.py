"""Folders that a router writes in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from foundation.storage.writable import why_not_writable
from server.settings import RouterSettings

_LMDB = "lmdb://"
# Not lock.mdb: to close a descriptor of it ends the locks of an environment that this process has open.
_LMDB_FILES = ("data.mdb",)
_LOGS = ("router.log", "replicas.log")


class NotWritable(Exception):
    """A folder that replicas write in cannot be written; the message names it and its key."""


def written_folders(settings: RouterSettings) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
    """Key below `router`, folder, and names of the files in it that are written over, of each folder."""
    yield "request_log.folder", settings.request_log.folder, _LOGS
    if settings.metrics.enabled:
        yield "metrics.folder", Path(settings.metrics.folder), ()
    if settings.recording.enabled:
        yield "recording.folder", settings.recording.folder, ()
    for key, url in (("state.url", settings.state.url), ("rollout.url", settings.rollout.url)):
        if url.startswith(_LMDB):
            yield key, Path(url.removeprefix(_LMDB)), _LMDB_FILES


def check_written_folders(settings: RouterSettings) -> None:
    """Raises `NotWritable` for the first folder or file that cannot be written."""
    for key, folder, files in written_folders(settings):
        why = why_not_writable(folder, files)
        if why:
            raise NotWritable(f"{why}; mend that, or set router.{key}")
