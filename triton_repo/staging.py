"""Folders that versions are written into, named by the process that does, so that what it left is known."""

import os
import shutil
import socket
import tempfile
from pathlib import Path


def stage(folder: Path, model: str) -> Path:
    """A fresh folder in `folder`, made where it is not there, for a version of a model."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{_of_this_machine(model)}{os.getpid()}-", dir=folder))


def remove_abandoned(folder: Path, model: str) -> None:
    """Removes what processes of this machine staged for a model and left, as they were killed."""
    prefix = _of_this_machine(model)
    for staged in folder.glob(f"{prefix}*"):
        process = staged.name.removeprefix(prefix).split("-")[0]
        if process.isdecimal() and not _runs(int(process)):
            shutil.rmtree(staged)


def _of_this_machine(model: str) -> str:
    return f"{model}-{socket.gethostname()}-"


def _runs(process: int) -> bool:
    """Whether a process of this machine runs, whoever's it is."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
