"""Reports that commands have written as JSON, newest first."""

from __future__ import annotations

from pathlib import Path

from protos.shopfront.v1.admin_pb2 import ReadReportsResponse, Report

MAX_REPORTS = 20
MAX_BYTES = 2**20
_MAX_FILES = 1_000


def read_reports(folder: Path) -> ReadReportsResponse:
    """The newest reports of a folder, none where it is not there. Blocks on the disk."""
    found: list[tuple[int, Path]] = []
    try:
        for path in folder.iterdir():
            if path.suffix == ".json" and path.is_file() and not path.is_symlink():
                status = path.stat()
                if status.st_size <= MAX_BYTES:
                    found.append((status.st_mtime_ns, path))
            if len(found) >= _MAX_FILES:
                break
    except FileNotFoundError:
        return ReadReportsResponse()
    newest = sorted(found, reverse=True)[:MAX_REPORTS]
    return ReadReportsResponse(
        reports=[
            Report(
                name=path.stem,
                at_ms=at_ns // 1_000_000,
                json=path.read_text("utf-8", "replace"),
            )
            for at_ns, path in newest
        ]
    )
