"""Sealed folders under one root: staged in private, sealed by rename, published by swapping a link."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from snapshot.checksums import content_files, record_files, verify_files
from snapshot.durable_files import sync_file, sync_folder
from snapshot.manifest import (
    Kind,
    Manifest,
    NewerFormatError,
    SnapshotError,
    read_manifest,
    write_manifest,
)

CURRENT = "current"
SEALED_MODE = 0o400
"""Nobody writes a sealed file, and only its owner reads it: data sets hold what shoppers did."""
_STAGED = ".staged"
_DISCARDED = ".discarded"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


Opened = TypeVar("Opened")


class SealedFolders(ABC, Generic[Opened]):
    """Immutable folders `<root>/<id>` with a link `current` to the published one.

    A folder appears under its id only when complete: it is written in a hidden staged folder, every file
    is flushed to the disk and listed with its checksum in the manifest, and one rename gives it its name.
    Readers need no lock. One writer at a time may publish or prune; staging and sealing may run in parallel.
    """

    kind: Kind

    def __init__(self, root: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Use `root`, created when first written to; `clock` dates manifests that carry no date."""
        self.root = root
        self._clock = clock

    @abstractmethod
    def _opened(self, path: Path, manifest: Manifest) -> Opened:
        """Wrap a verified folder."""

    def stage(self) -> Path:
        """Make a fresh hidden folder to write into; end it with `seal` or `discard`."""
        self.root.mkdir(parents=True, exist_ok=True)
        owner = f"{socket.gethostname()}-{os.getpid()}"
        staged = self.root / f"{_STAGED}-{owner}-{secrets.token_hex(4)}"
        staged.mkdir()
        return staged

    def discard(self, staged: Path) -> None:
        """Remove a staged folder that will not be sealed; does nothing where it is already gone."""
        if staged.exists():
            shutil.rmtree(staged)

    def seal(self, staged: Path, manifest: Manifest) -> str:
        """Make a staged folder immutable and give it its id.

        Args:
            staged: a folder from `stage()`, completely written.
            manifest: what it holds; `files` is replaced, an empty `created_at` becomes the present, an
                empty `id` becomes the creation time and the first digits of the content's checksum.

        Returns:
            The id: the folder's name under the root.

        Raises:
            SnapshotError: the manifest is of another kind, its id is no plain name or is taken, or the
                folder holds something that is neither a plain file nor a folder.
        """
        if manifest.kind != self.kind:
            raise SnapshotError(
                staged, "manifest", f"is of kind {manifest.kind!r}", f"seal a {self.kind!r} here"
            )
        for path in content_files(staged):
            path.chmod(SEALED_MODE)
            sync_file(path)
        records = record_files(staged)
        created_at = manifest.created_at or self._clock().astimezone(UTC).isoformat(timespec="microseconds")
        base = manifest.id or _generated_id(created_at, records)
        if not _ID.fullmatch(base) or base == CURRENT:
            raise SnapshotError(
                staged, "manifest", f"has the id {base!r}", "use letters, digits, '.', '_' and '-'"
            )
        attempt = 1
        while True:
            name = base if attempt == 1 else f"{base}-{attempt}"
            target = self.root / name
            write_manifest(
                staged, msgspec.structs.replace(manifest, id=name, created_at=created_at, files=records)
            )
            for folder in (staged, *(path for path in staged.rglob("*") if path.is_dir())):
                sync_folder(folder)
            try:
                staged.rename(target)
            except OSError as error:
                if not target.exists():
                    raise
                if manifest.id:
                    raise SnapshotError(
                        target, "manifest", "the id is taken", "choose another id, or leave it empty"
                    ) from error
                attempt += 1
                continue
            sync_folder(self.root)
            return name

    def publish(self, id: str) -> None:
        """Verify the folder `id` completely, then point `current` at it by one atomic rename.

        Raises:
            SnapshotError: the folder is absent, torn or corrupt; `current` stays as it was.
        """
        self.open(id, verify=True)
        link = self.root / f".{CURRENT}-{secrets.token_hex(4)}"
        link.symlink_to(id, target_is_directory=True)
        try:
            os.replace(link, self.root / CURRENT)
        except BaseException:
            link.unlink(missing_ok=True)
            raise
        sync_folder(self.root)

    def current_id(self) -> str | None:
        """Id of the published folder, or None while there is none; reads one link.

        Raises:
            SnapshotError: `current` is there but is no link.
        """
        try:
            return os.readlink(self.root / CURRENT)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SnapshotError(
                self.root, CURRENT, f"is no link ({error.strerror})", "remove it and publish again"
            ) from error

    def ids(self) -> list[str]:
        """Ids of all sealed folders, oldest first (by creation time in the manifest, then id)."""
        if not self.root.is_dir():
            return []
        names = [
            path.name
            for path in self.root.iterdir()
            if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
        ]
        return sorted(names, key=lambda name: (self._created_at(name), name))

    def open(self, id: str, *, verify: bool = True) -> Opened:
        """Open a sealed folder.

        Args:
            id: its name under the root.
            verify: compare every file's checksum, which reads all of them; sizes are compared always.

        Raises:
            SnapshotError: the folder is absent, of another kind, of a newer schema, torn or corrupt.
        """
        if not _ID.fullmatch(id) or id == CURRENT:
            raise SnapshotError(self.root, repr(id), "is no id of a sealed folder", "name one of the folders")
        path = self.root / id
        if not path.is_dir():
            raise SnapshotError(path, ".", "does not exist", "build it, or name one that does")
        manifest = read_manifest(path)
        if manifest.kind != self.kind:
            raise SnapshotError(path, "manifest.json", f"is a {manifest.kind}", f"name a {self.kind} instead")
        verify_files(path, manifest.files, checksums=verify)
        return self._opened(path, manifest)

    def open_current(self, *, verify: bool = True) -> Opened:
        """Open the published folder.

        Raises:
            SnapshotError: nothing is published, or the published folder is torn or corrupt.
        """
        while True:
            id = self.current_id()
            if id is None:
                raise SnapshotError(
                    self.root, CURRENT, "nothing is published", f"`shopfront build` makes a {self.kind}"
                )
            try:
                return self.open(id, verify=verify)
            except SnapshotError:
                # A folder replaced and pruned since the link was read is no fault of the new one.
                if self.current_id() == id:
                    raise

    def prune(self, keep: int) -> list[str]:
        """Remove all but the `keep` newest folders and the published one, and what crashed writers left.

        A folder disappears by rename before its files are removed, so none is ever seen half removed.
        Files that are open or mapped stay readable in the processes that opened them.

        Returns:
            Ids removed, oldest first.

        Raises:
            ValueError: `keep` is negative.
        """
        if keep < 0:
            raise ValueError(f"keep must not be negative, it is {keep}")
        ids, current = self.ids(), self.current_id()
        removed = [id for id in ids[: max(len(ids) - keep, 0)] if id != current]
        self._discard_sealed(removed)
        return removed

    def remove(self, ids: Iterable[str]) -> None:
        """Remove these folders, none of them the published one, as `prune` does.

        Raises:
            ValueError: one of them is published.
        """
        removed = sorted(ids)
        if self.current_id() in removed:
            raise ValueError(f"{self.current_id()} is published; publish another one first")
        self._discard_sealed(removed)

    def remove_damaged(self) -> dict[str, SnapshotError]:
        """Remove the folders that cannot be opened for their manifest or the sizes of their files.

        The published folder stays, whatever its state, and so do folders that a newer release wrote.

        Returns:
            Id → what was wrong, of the folders removed.
        """
        damaged: dict[str, SnapshotError] = {}
        for id in self.ids():
            try:
                self.open(id, verify=False)
            except NewerFormatError:
                continue
            except SnapshotError as error:
                damaged[id] = error
        # Read last: what was published meanwhile stays.
        damaged.pop(self.current_id() or "", None)
        self._discard_sealed(damaged)
        return damaged

    def _discard_sealed(self, ids: Iterable[str]) -> None:
        """Removes these folders, and what writers and removals that crashed left."""
        for id in ids:
            (self.root / id).rename(self.root / f"{_DISCARDED}-{id}-{secrets.token_hex(4)}")
        if self.root.is_dir():
            for path in self.root.iterdir():
                if path.name.startswith(f"{_DISCARDED}-") or _is_abandoned(path.name):
                    shutil.rmtree(path)

    def _created_at(self, id: str) -> str:
        try:
            return read_manifest(self.root / id).created_at
        except SnapshotError:
            # A folder without a readable manifest cannot be used: it counts as the oldest.
            return ""


def _generated_id(created_at: str, records: object) -> str:
    moment = datetime.fromisoformat(created_at).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}-{hashlib.sha256(msgspec.json.encode(records)).hexdigest()[:8]}"


def _is_abandoned(name: str) -> bool:
    """Whether a staged folder belongs to a process of this machine that no longer runs."""
    prefix = f"{_STAGED}-{socket.gethostname()}-"
    if not name.startswith(prefix):
        return False
    process = int(name.removeprefix(prefix).split("-")[0])
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
