"""What arrived while the shop was open, as a build reads it from the state store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from snapshot.catalogue import Catalogue
from state.picture_changes import PictureChanges
from state.registry import open_state
from state.settings import StateSettings

if TYPE_CHECKING:
    from vision.received_pictures import Received

_LMDB = "lmdb://"


def read_revision(settings: StateSettings) -> int:
    """Number of the last change; 0 where there is none. Raises StorageError where the store does not say."""
    with _pictures(settings) as pictures:
        return 0 if pictures is None else pictures.revision()


def read_received(settings: StateSettings, catalogue: Catalogue) -> Received:
    """All changes of the items of a catalogue. Raises StorageError where the store does not say."""
    from vision.received_pictures import NOTHING_RECEIVED, received_of

    with _pictures(settings) as pictures:
        return NOTHING_RECEIVED if pictures is None else received_of(pictures.since(0), catalogue)


@contextmanager
def _pictures(settings: StateSettings) -> Iterator[PictureChanges | None]:
    """None where a store in LMDB does not exist yet, which is not made."""
    if settings.url.startswith(_LMDB) and not (Path(settings.url.removeprefix(_LMDB)) / "data.mdb").exists():
        yield None
        return
    store = open_state(settings)
    try:
        yield store.pictures
    finally:
        store.close()
