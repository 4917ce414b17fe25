"""Generates the Python of `shopfront/v1/*.proto`: `make protos`, or `python -m protos.generate [folder]`."""

import sys
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

PROJECT = Path(__file__).resolve().parent.parent


def generate(into: Path) -> list[Path]:
    """Write `*_pb2.py`, `*_pb2.pyi` and `*_pb2_grpc.py` of every contract below `into`.

    The folders below `into` mirror the project's (`protos/shopfront/v1/…`). Returns the files written.
    Raises RuntimeError where protoc refuses a contract (it prints why).
    """
    contracts = sorted((PROJECT / "protos").rglob("*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"-I{PROJECT}",
            f"-I{well_known}",
            f"--python_out={into}",
            f"--pyi_out={into}",
            f"--grpc_python_out={into}",
            *(str(contract.relative_to(PROJECT)) for contract in contracts),
        ]
    )
    if status != 0:
        raise RuntimeError(f"protoc refused the contracts in {PROJECT / 'protos'} (exit {status})")
    stems = [into / contract.relative_to(PROJECT).with_suffix("") for contract in contracts]
    endings = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
    return [stem.with_name(stem.name + ending) for stem in stems for ending in endings]


if __name__ == "__main__":
    for written in generate(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT):
        print(written)
