"""Figures of reports in files. Matplotlib is an extra, `plots`: what serves and builds does without it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PlotsMissing(Exception):
    """Matplotlib cannot be imported; the message says what to install."""


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure of so many inches. Raises PlotsMissing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotsMissing(
            f"no picture was drawn, since matplotlib cannot be imported ({error}): install the extra `plots` "
            "(pip install 'shopfront[plots]')"
        ) from error
    return Figure(figsize=(width_in, height_in), layout="constrained")


def save_figure(figure: Figure, path: Path) -> None:
    """Writes the figure whole or not at all; the path's suffix determines the format (.png, .svg, .pdf).

    Raises ValueError for an unknown suffix and OSError where the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        figure.savefig(unfinished, dpi=150)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
