"""The manifest of a model version: where it came from, how well it agrees with torch, and its files."""

import hashlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from triton_repo.errors import RepositoryError

MANIFEST = "manifest.json"


class FileRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a version: size in bytes and SHA-256 in hex."""

    bytes: int
    sha256: str


class ParityRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far ONNX Runtime is from torch: absolute differences over every output of every case."""

    max_abs: float
    mean_abs: float
    samples: int
    tolerance: float


class SpeedRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Candidates (or shoppers, for a model without candidates) per second, one thread, one process."""

    exported_per_s: float
    torch_per_s: float
    ratio: float


class CandidateRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One form that was tried when the version was made, measured beside the others on one machine."""

    format: str
    verdict: Literal["served", "passed", "refused"]
    """passed: it loses nothing, but another form is served."""
    reason: str
    """Why it is served, or why not."""
    bytes: int | None = None
    """Size of its graph with the weights."""
    rows_per_s: float | None = None
    """Candidates per second, one thread, at `candidates` to a call."""
    candidates: int | None = None
    ratio: float | None = None
    """Times the speed of float32, by the lower quartile of the rounds of each."""
    max_abs: float | None = None
    """Largest absolute difference from torch."""
    auc: float | None = None
    auc_loss: float | None = None
    """How far its AUC is below float32's."""
    ndcg_50: float | None = None
    """NDCG@50 of its order against float32's."""


class VersionManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `manifest.json` of a version folder holds."""

    schema_version: int = 1
    model: str
    format: str
    """The served form's name in the exporters' registry: "onnx", "onnx_int8", …"""
    created_at: str
    """ISO 8601, UTC."""
    checkpoint: str
    checkpoint_sha256: str
    """SHA-256 of the checkpoint's weights file."""
    dataset: str
    """Identity of the data set the checkpoint was trained on."""
    items: int
    """N of that data set: item ids 1…N mean something to this version."""
    parity: ParityRecord
    speed: SpeedRecord | None = None
    candidates: list[CandidateRecord] = []
    """Every form that was tried, the served one among them."""
    gpu: str = ""
    """Name of the GPU that an engine was built for; engines run on no other kind."""
    sizes: dict[str, list[list[int]]] = {}
    """Input → least, likely and largest shape that an engine was built for."""
    tools: dict[str, str] = {}
    """Package → version that took part in the export."""
    files: dict[str, FileRecord] = {}
    """Relative path → record, of every file but the manifest itself."""


def file_record(path: Path) -> FileRecord:
    """Size and SHA-256 of one file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return FileRecord(os.fstat(stream.fileno()).st_size, digest.hexdigest())


def write_manifest(folder: Path, manifest: VersionManifest) -> VersionManifest:
    """Records every file of `folder`, writes the manifest into it and returns the completed manifest."""
    files = {
        path.relative_to(folder).as_posix(): file_record(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    complete = msgspec.structs.replace(manifest, files=files)
    fresh = folder / f".{MANIFEST}"
    with fresh.open("wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(complete), indent=2))
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(folder / MANIFEST)
    return complete


def read_manifest(folder: Path) -> VersionManifest:
    """The manifest of a version folder. Raises RepositoryError naming the file where it cannot be used."""
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=VersionManifest)
    except OSError as error:
        raise RepositoryError(f"{path} cannot be read: {error.strerror}; export the model again") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RepositoryError(f"{path} is not a version manifest: {error}; export the model again") from error


def verify(folder: Path) -> VersionManifest:
    """Compares every file of a version folder with its manifest and returns the manifest.

    Raises RepositoryError naming the first file that is missing or torn.
    """
    manifest = read_manifest(folder)
    if not manifest.files:
        raise RepositoryError(f"{folder / MANIFEST} records no file; export the model again")
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise RepositoryError(f"{path} is missing; export the model again")
        found = file_record(path)
        if found != expected:
            raise RepositoryError(
                f"{path} is corrupt: {found.bytes} bytes, sha256 {found.sha256[:12]}…, the manifest says"
                f" {expected.bytes} bytes, {expected.sha256[:12]}…; export the model again"
            )
    return manifest
