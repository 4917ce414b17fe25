"""Finding the Triton that the nvidia-pytriton wheel carries, and laying out its backends folder."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from triton_repo.errors import TritonStartError

ONNXRUNTIME_BACKEND = Path(__file__).parent / "backends" / "onnxruntime"
_STUB = "triton_python_backend_stub"


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the parts of the embedded server lie."""

    server: Path
    python_backend: Path
    stub: Path
    libraries: Path

    @classmethod
    def find(cls) -> "Installation":
        """The installation in this Python's environment.

        Raises TritonStartError where the wheel is missing, carries no stub for this Python, or the
        stub cannot run here.
        """
        spec = importlib.util.find_spec("pytriton")
        if spec is None or spec.origin is None:
            raise TritonStartError(
                "the wheel nvidia-pytriton is not installed: pip install --no-deps -r requirements-triton.txt"
            )
        package = Path(spec.origin).parent
        root = package / "tritonserver"
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        stub = root / "python_backend_stubs" / python / _STUB
        if not stub.is_file():
            known = sorted(folder.name for folder in (root / "python_backend_stubs").glob("*"))
            raise TritonStartError(
                f"nvidia-pytriton has no Python backend stub for Python {python}; it has {', '.join(known)}"
            )
        found = cls(
            root / "bin" / "tritonserver",
            root / "backends" / "python",
            stub,
            package.parent / "nvidia_pytriton.libs",
        )
        found._check_stub()
        return found

    def environment(self) -> dict[str, str]:
        """The environment to run the server in.

        The stub embeds Python and finds this environment's packages through the first `python3` on PATH;
        it needs libpython, which a Python built shared keeps in its own library folder.
        """
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        libraries = [str(self.libraries)]
        own = Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "-")
        if own.is_file() and own.suffix != ".a":
            libraries.append(str(own.parent))
        if inherited := environment.get("LD_LIBRARY_PATH"):
            libraries.append(inherited)
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
        binaries = str(Path(sys.prefix) / "bin")
        environment["PATH"] = os.pathsep.join([binaries, environment.get("PATH", os.defpath)])
        return environment

    def assemble_backends(self, folder: Path) -> Path:
        """Fills `folder` with `python/` and `onnxruntime/` and returns it.

        Triton refuses a backend library that is a link leading out of its folder, so files are copied,
        and only where they changed.
        """
        wanted = {
            folder / "python" / "libtriton_python.so": self.python_backend / "libtriton_python.so",
            folder / "python" / "triton_python_backend_utils.py": self.python_backend
            / "triton_python_backend_utils.py",
            folder / "python" / _STUB: self.stub,
            **{folder / "onnxruntime" / source.name: source for source in ONNXRUNTIME_BACKEND.glob("*.py")},
        }
        for target, source in wanted.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not _same(source, target):
                # A running server may still map the old file: it is replaced, never written into.
                fresh = target.with_name(f".{target.name}.{os.getpid()}")
                shutil.copy2(source, fresh)
                fresh.replace(target)
        return folder

    def _check_stub(self) -> None:
        run = subprocess.run(
            [self.stub], env=self.environment(), capture_output=True, text=True, timeout=30, check=False
        )
        # Without arguments a stub that can run complains about them; the loader's status is 127.
        if run.returncode == 127:
            library = run.stderr.partition("libraries: ")[2].partition(":")[0] or run.stderr.strip()
            raise TritonStartError(
                f"Triton's Python stub cannot run here: {library} is not installed"
                f" (Debian and Ubuntu: apt-get install libpython{sys.version_info.major}."
                f"{sys.version_info.minor})"
            )


def _same(source: Path, target: Path) -> bool:
    if not target.is_file():
        return False
    here, there = source.stat(), target.stat()
    return here.st_size == there.st_size and int(here.st_mtime) == int(there.st_mtime)
