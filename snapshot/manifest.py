"""The manifest that makes a folder a sealed data set or serving snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from snapshot.durable_files import write_durably
from snapshot.shop_facts import ShopFacts

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"

Kind = Literal["dataset", "snapshot"]


class SnapshotError(Exception):
    """A sealed folder cannot be used; the message names the folder, the file, the fault and the remedy."""

    def __init__(self, folder: Path, file: str, fault: str, remedy: str) -> None:
        """Names the folder, the file in it, what is wrong with it and what to do."""
        self.folder = folder
        self.file = file
        self.fault = fault
        self.remedy = remedy
        super().__init__(f"{folder}: {file}: {fault}; {remedy}")

    def __reduce__(self) -> tuple[type[SnapshotError], tuple[Path, str, str, str]]:
        """Its four parts, so that it travels between processes."""
        return type(self), (self.folder, self.file, self.fault, self.remedy)


class NewerFormatError(SnapshotError):
    """A sealed folder was written by a newer release: it is not damaged, but cannot be read by this one."""


class FileRecord(msgspec.Struct, frozen=True):
    """Size and checksum of one file of a sealed folder."""

    bytes: int
    sha256: str


class Cuts(msgspec.Struct, frozen=True):
    """Time cuts in unix seconds: train on `< valid_from`, stop early before `test_from`, test after it."""

    valid_from: int = 0
    test_from: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The contents and the origin of a sealed folder.

    Attributes:
        kind: "dataset" or "snapshot".
        schema_version: layout of the folder; a reader refuses one newer than its own.
        id: the folder's name; filled in by `seal` where empty.
        created_at: ISO 8601 in UTC; filled in by `seal` where empty.
        source: where the content came from, for people.
        rows: row counts by table.
        time_range: first and last event time, unix seconds.
        cuts: time cuts of training, validation and test.
        switched_off: what the data could not support, for instance "category".
        removed: rows removed before the content was written, by reason.
        changed: rows whose ids were brought to another form, by reason.
        examples: by reason of `removed` or `changed`, the row and masked form of the first value with that
            fault.
        alarms: sentences a person must read before relying on the data.
        shop: what was measured on the log; None in a folder that an earlier version made.
        dataset: id of the data set a serving snapshot was made from; empty in a data set.
        tombstones: number of the last deletion of a shopper that was left out; 0 where none had been deleted.
        models: Triton model versions that belong to a serving snapshot, by model name.
        files: size and checksum of every other file, by path relative to the folder; filled in by `seal`.
    """

    kind: Kind
    schema_version: int = SCHEMA_VERSION
    id: str = ""
    created_at: str = ""
    source: str = ""
    rows: dict[str, int] = {}
    time_range: tuple[int, int] = (0, 0)
    cuts: Cuts = Cuts()
    switched_off: list[str] = []
    removed: dict[str, int] = {}
    changed: dict[str, int] = {}
    examples: dict[str, str] = {}
    alarms: list[str] = []
    shop: ShopFacts | None = None
    dataset: str = ""
    tombstones: int = 0
    models: dict[str, int] = {}
    files: dict[str, FileRecord] = {}


class _Versioned(msgspec.Struct):
    schema_version: int


_REBUILD = "build it again, or serve another one"


def read_manifest(folder: Path) -> Manifest:
    """Read and validate a sealed folder's manifest.

    Args:
        folder: the sealed folder.

    Returns:
        The manifest. File checksums are not looked at.

    Raises:
        SnapshotError: the manifest is absent, is no JSON of the right shape, has a newer schema version,
            or its id is not the folder's name.
    """
    try:
        content = (folder / MANIFEST_NAME).read_bytes()
    except OSError as error:
        raise SnapshotError(folder, MANIFEST_NAME, f"cannot be read ({error.strerror})", _REBUILD) from error
    try:
        version = msgspec.json.decode(content, type=_Versioned).schema_version
        if version > SCHEMA_VERSION:
            raise NewerFormatError(
                folder,
                MANIFEST_NAME,
                f"has schema version {version}, this release reads up to {SCHEMA_VERSION}",
                "open it with a newer release",
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError(folder, MANIFEST_NAME, f"is not a valid manifest ({error})", _REBUILD) from error
    if manifest.id != folder.name:
        raise SnapshotError(
            folder,
            MANIFEST_NAME,
            f"belongs to {manifest.id!r}",
            "give the folder back its own name, or build it again",
        )
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest durably (temporary name, fsync, rename) into `folder`."""
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    write_durably(folder / MANIFEST_NAME, content)
