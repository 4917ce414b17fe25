"""Python imports this at the start of every process of a router's own Ray node.

Where they are installed, Ray Serve imports pandas to encode data frames, and Ray pyarrow to encode data sets.
No call here carries either, and they take 65 MiB and .7 s, and 28 MiB, of each process. Both do without where
the import fails, so theirs fails. Everybody else, a plug-in too, imports them as ever.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_REFUSED = {"pandas": "ray.serve._private.utils", "pyarrow": "ray._private.arrow_serialization"}
"""What is refused → the module to which it is refused."""
_IMPORT_MACHINERY = "importlib."


class _WithoutTables:
    """Refuses what is listed while the module beside it imports it."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None, which leaves a module to the other finders; raises ImportError for what is refused."""
        importer = _REFUSED.get(name)
        if importer is not None and _importing_module() == importer:
            raise ModuleNotFoundError(f"Ray does without {name} here", name=name)
        return None


def _importing_module() -> str:
    """Name of the module whose code runs the innermost import."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_IMPORT_MACHINERY):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


def _import_the_hidden_one() -> None:
    """Runs the `sitecustomize` of the system, which this one hides."""
    own = str(Path(__file__).parent)
    present = sys.modules.pop("sitecustomize")
    path, sys.path[:] = sys.path[:], [folder for folder in sys.path if folder != own]
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = present
    finally:
        sys.path[:] = path


if __name__ == "sitecustomize":
    sys.meta_path.insert(0, _WithoutTables)
    _import_the_hidden_one()
