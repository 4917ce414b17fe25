"""Python imports this at the start of every process of a router's own Ray node.

Ray Serve imports pandas where it is installed, to encode data frames, which no call here carries: 65 MiB and
.7 s of each of its processes. It does without where the import fails, so its import fails. Everybody else, a
plug-in too, imports pandas as ever.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_IMPORTER = "ray.serve._private.utils"


class _WithoutPandas:
    """Refuses pandas while Ray Serve's module is being imported."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None, which leaves a module to the other finders; raises ImportError for what is refused."""
        if name == "pandas":
            importer = sys.modules.get(_IMPORTER)
            if importer is not None and getattr(importer.__spec__, "_initializing", False):
                raise ModuleNotFoundError("Ray Serve does without pandas here", name=name)
        return None


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
    sys.meta_path.insert(0, _WithoutPandas)
    _import_the_hidden_one()
