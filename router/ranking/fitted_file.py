"""What was fitted for a scorer or merge, as one JSON file of a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from snapshot.durable_files import write_durably
from snapshot.manifest import SnapshotError


class FittedFile(BaseModel):
    """Base of what is written as a file; a subclass names the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    file_name: ClassVar[str]

    def write(self, folder: Path) -> None:
        """The file in the folder, which must exist; whole or not at all."""
        write_durably(folder / self.file_name, (self.model_dump_json(indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The file of the folder; raises SnapshotError where it is missing or not valid."""
        try:
            return cls.model_validate(json.loads((folder / cls.file_name).read_bytes()))
        except (OSError, ValueError, ValidationError) as error:
            raise SnapshotError(
                folder, cls.file_name, f"cannot be read ({error})", "build the folder again"
            ) from error
