"""Recording and verifying the sizes and SHA-256 checksums of a folder's files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from snapshot.manifest import MANIFEST_NAME, FileRecord, SnapshotError

_PART_BYTES = 1024 * 1024


def content_files(folder: Path) -> list[Path]:
    """All files below `folder` but the manifest, sorted by path.

    Raises:
        SnapshotError: something below is neither a plain file nor a folder (a link could point outside).
    """
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise SnapshotError(
                folder,
                str(path.relative_to(folder)),
                "is neither a plain file nor a folder",
                "write a copy or a hard link in its place",
            )
        if path.is_file() and path != folder / MANIFEST_NAME:
            files.append(path)
    return files


def sha256_of(path: Path, pace: Callable[[int], None] = lambda size: None) -> str:
    """SHA-256 of a file's content, in hexadecimal; `pace` is called with the size of each part read, bytes.

    The global interpreter lock is free while a part is hashed, so other threads go on.
    """
    digest = hashlib.sha256()
    part = memoryview(bytearray(_PART_BYTES))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(part):
            digest.update(part[:size])
            pace(size)
    return digest.hexdigest()


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Size and checksum of every file below `folder` but the manifest, by POSIX path relative to it."""
    return {
        path.relative_to(folder).as_posix(): FileRecord(bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in content_files(folder)
    }


def verify_files(
    folder: Path,
    files: Mapping[str, FileRecord],
    *,
    checksums: bool,
    pace: Callable[[int], None] = lambda size: None,
) -> None:
    """Check that every recorded file is there, complete and, with `checksums`, unchanged.

    Args:
        folder: the sealed folder.
        files: its manifest's records.
        checksums: also read every file and compare its SHA-256; otherwise sizes alone are compared.
        pace: called with the size of each part read, in bytes; it may wait.

    Raises:
        SnapshotError: a file is missing, has another size, or another checksum.
    """
    remedy = "build it again, or serve another one"
    for name, record in files.items():
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise SnapshotError(folder, name, "lies outside the folder", remedy)
        try:
            size = os.stat(path, follow_symlinks=False).st_size
            if size != record.bytes:
                raise SnapshotError(folder, name, f"has {size} bytes instead of {record.bytes}", remedy)
            if checksums and sha256_of(path, pace) != record.sha256:
                raise SnapshotError(folder, name, "does not match its checksum", remedy)
        except OSError as error:
            raise SnapshotError(folder, name, f"cannot be read ({error.strerror})", remedy) from error
