"""Files of a job in a folder that all nodes share: common columns, results by part, and attempts.

Results are files and not objects of Ray: a node that is lost loses none, and a job that ended half done
continues where it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapshot.durable_files import sync_file, sync_folder
from snapshot.partition_work import Columns

_COLUMNS, _RESULT, _ATTEMPT = "columns", ".npz", ".attempt"


@dataclass(frozen=True)
class PartFiles:
    """The folder of one job on certain inputs; used by the build and by the nodes."""

    folder: Path

    @classmethod
    def of(cls, jobs: Path, job: str, inputs: object, columns: Columns | None = None) -> PartFiles:
        """The folder of a job below `jobs`; created where it is absent, with the columns all parts read.

        inputs: anything whose `repr` says all that results depend on besides the columns.
        """
        digest = hashlib.blake2b(repr(inputs).encode(), digest_size=8)
        for name, values in sorted((columns or {}).items()):
            digest.update(f"{name} {values.dtype} {len(values)}".encode())
            digest.update(np.ascontiguousarray(values).data)
        files = cls(jobs / f"{job}-{digest.hexdigest()}")
        if columns is not None and not (files.folder / _COLUMNS).is_dir():
            files._write_columns(columns)
        files.folder.mkdir(parents=True, exist_ok=True)
        return files

    def _write_columns(self, columns: Columns) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".columns-", dir=self.folder))
        for name, values in columns.items():
            np.save(staged / f"{name}.npy", values, allow_pickle=False)
            sync_file(staged / f"{name}.npy")
        os.rename(staged, self.folder / _COLUMNS)
        sync_folder(self.folder)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns that all parts read, memory-mapped."""
        return {
            path.stem: np.load(
                path, mmap_mode="r" if path.stat().st_size > 1024 else None, allow_pickle=False
            )
            for path in sorted((self.folder / _COLUMNS).glob("*.npy"))
        }

    def has(self, part: int) -> bool:
        """Whether a part's result is there, whole."""
        return self._result(part).is_file()

    def begin(self, part: int) -> None:
        """Notes that a part is being computed by this process."""
        (self.folder / f"{part}-{socket.gethostname()}-{os.getpid()}{_ATTEMPT}").touch()

    def attempts(self) -> int:
        """How often a part was begun."""
        return sum(1 for _ in self.folder.glob(f"*{_ATTEMPT}"))

    def write(self, part: int, result: Columns) -> None:
        """Puts a part's result there; of two processes that computed the same part the last one's stays."""
        descriptor, temporary = tempfile.mkstemp(prefix=f".{part}-", dir=self.folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                np.savez(file, allow_pickle=False, **result)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._result(part))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(self.folder)

    def read(self, part: int) -> dict[str, NDArray[Any]]:
        """A part's result. Raises OSError where the file is not one that `write` wrote; it is removed."""
        path = self._result(part)
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            path.unlink(missing_ok=True)
            raise OSError(f"{path} is damaged and was removed; run the command again") from error

    def _result(self, part: int) -> Path:
        return self.folder / f"{part}{_RESULT}"


def remove_all(jobs: Path) -> None:
    """Removes the folders of all jobs, when what they were computed for is sealed."""
    shutil.rmtree(jobs, ignore_errors=True)
