"""The files of a report: its data, and a picture where what draws it is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from foundation.statistics.figure_file import PlotsMissing


def write_report_files(report: Any, data: Path, picture: Path, draw: Callable[[Any, Path], None]) -> str:
    """Writes a report as JSON and as a picture; returns what was written, for people.

    Args:
        report: what `msgspec` encodes.
        data: the JSON file; its folder is created.
        picture: the picture's file.
        draw: writes it; where it raises PlotsMissing there is none, and the answer says why.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    unfinished = data.with_suffix(".json.part")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    unfinished.replace(data)
    try:
        draw(report, picture)
    except PlotsMissing as missing:
        return f"written to {data}; {missing}"
    return f"written to {data} and {picture}"
