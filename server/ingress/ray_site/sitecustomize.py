"""Python imports this at the start of every process of a router's own Ray node.

Where they are installed, Ray Serve imports pandas to encode data frames, and Ray pyarrow to encode data sets.
No call here carries either, and they take 65 MiB and .7 s, and 28 MiB, of each process. Both do without where
the import fails, so theirs fails. Everybody else, a plug-in too, imports them as ever. In the same way Ray
does without its progress bars and Serve without traces of its own, which take 1.3 MiB of each process.

Ray also imports what it uses for runtime environments, usage statistics and its dashboard, of which there is
none here: 4 MiB of each process. These modules are executed when one of their names is used.
"""

import asyncio
import importlib
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_REFUSED = {
    "pandas": "ray.serve._private.utils",
    "pyarrow": "ray._private.arrow_serialization",
    "tqdm": "ray.experimental.tqdm_ray",
    "opentelemetry.sdk": "ray.serve._private.tracing_utils",
}
"""What is refused → the module to which it is refused."""
_WHEN_USED = frozenset({"requests", "jsonschema", "fastapi", "fastapi.encoders", "fastapi.routing", "numpy"})
_SERVE = "ray.serve."
_STAND_INS = {
    "fastapi": frozenset({"APIRouter", "FastAPI", "Request"}),
    "fastapi.encoders": frozenset({"jsonable_encoder"}),
    "fastapi.routing": frozenset({"APIRoute", "APIWebSocketRoute", "_IncludedRouter"}),
    "numpy": frozenset({"generic", "ndarray"}),
}
"""Names that Serve takes out of a module, or annotates with, while it is imported."""
_HAPROXY = "ray.serve._private.haproxy"
_LOOKS_S, _LOOK_S = (0.2, 0.5), 0.05
_IMPORT_MACHINERY = "importlib."
_LOADER = "_loader_when_used"
_executing = threading.RLock()


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


class _StandIn(type):
    """Takes the place of a class or a function of a module that is not executed yet.

    Called, it is the real one. Nothing is an instance of a class that does not exist yet.
    """

    _module: ModuleType

    def __call__(cls, *args: Any, **named: Any) -> Any:
        return cls._real()(*args, **named)

    def __instancecheck__(cls, instance: Any) -> bool:
        if type(cls._module) is _Unexecuted:
            return False
        return isinstance(instance, cls._real())

    def _real(cls) -> Any:
        return getattr(cls._module, cls.__name__)


class _Unexecuted(ModuleType):
    """A module whose code runs when a name that it has not yet is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":
            # A package has one before its code runs.
            raise AttributeError(name)
        own = str(self.__dict__.get("__name__"))
        if name in _STAND_INS.get(own, ()) and _importing_module().startswith(_SERVE):
            return _StandIn(name, (), {"_module": self})
        _execute(self)
        if type(self) is _Unexecuted:
            # The import machinery has not yet filled the module in.
            raise AttributeError(f"module {own!r} has no attribute {name!r}")
        return getattr(self, name)


def _execute(module: ModuleType) -> None:
    """Runs the code of a module that is `_Unexecuted`, after that of the package it is in."""
    with _executing:
        if _LOADER not in module.__dict__:
            return
        package = sys.modules.get(module.__name__.rpartition(".")[0])
        if type(package) is _Unexecuted:
            _execute(package)
        # The package may have executed it.
        loader = module.__dict__.pop(_LOADER, None)
        if loader is not None:
            module.__class__ = ModuleType
            loader.exec_module(module)


class _LoaderWhenUsed(Loader):
    """Makes a module and leaves the execution of its code to its first use."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Unexecuted(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__[_LOADER] = self._loader


class _LoaderOfLoaded(Loader):
    """Gives a module that its package has imported meanwhile."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = sys.modules[spec.name]
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _WhenUsed:
    """Finds modules that are executed when they are used."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of what is listed; None of others, and of what is not installed."""
        package = sys.modules.get(name.rpartition(".")[0])
        if type(package) is _Unexecuted and not _importing_module().startswith(_SERVE):
            _execute(package)
            if name in sys.modules:
                return ModuleSpec(name, _LoaderOfLoaded())
        if name not in _WHEN_USED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _LoaderWhenUsed(spec.loader)
        return spec


class _LooksOften:
    """`asyncio` as the module of Serve that starts HAProxy sees it: what it waits for is looked at often.

    It would look every 200 or 500 ms whether a HAProxy is up, several times one after the other in a start.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(delay: float) -> None:
        """As `asyncio.sleep`, but for the intervals of looking."""
        await asyncio.sleep(_LOOK_S if delay in _LOOKS_S else delay)


class _LoaderOfHaproxy(Loader):
    """Executes the module of Serve that starts HAProxy, with `_LooksOften`."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        module.__dict__["asyncio"] = _LooksOften()


class _Haproxy:
    """Finds the module of Serve that starts HAProxy."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of that module, None of others."""
        spec = PathFinder.find_spec(name, path, target) if name == _HAPROXY else None
        if spec is not None and spec.loader is not None:
            spec.loader = _LoaderOfHaproxy(spec.loader)
        return spec


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
    sys.meta_path[:0] = [_WithoutTables, _WhenUsed, _Haproxy]
    _import_the_hidden_one()
