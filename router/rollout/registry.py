"""Opens the rollout store that a URL names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from router.rollout.lmdb_store import LmdbRolloutStore
from router.rollout.store import RolloutStore, RolloutStoreError


def open_rollout_store(url: str) -> RolloutStore:
    """The store at `url`: lmdb:///absolute/folder, or lmdb://folder below the working folder.

    Raises `RolloutStoreError` where the scheme is unknown or the store cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme != "lmdb":
        raise RolloutStoreError(f"router.rollout.url is {url!r}; known schemes are lmdb://")
    folder = unquote(parts.netloc + parts.path)
    if not folder:
        raise RolloutStoreError(f"router.rollout.url {url!r} names no folder")
    return LmdbRolloutStore(Path(folder))
