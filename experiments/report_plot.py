"""A report as a picture: relative differences from the control with their confidence intervals."""

from __future__ import annotations

from pathlib import Path

from experiments.report import METRICS, Report
from foundation.statistics.figure_file import new_figure, save_figure

_WIDTH_IN = 8.0
_ROW_IN = 0.42
_NO_DIFFERENCE = "0.6"


def plot_report(report: Report, path: Path) -> None:
    """Writes the picture; the path's suffix determines the format (.png, .svg, .pdf).

    A thick bar is the 95 % interval for one look at the end. Raises PlotsMissing, and what `save_figure`
    raises.
    """
    rows = [
        (f"{arm.name}: {METRICS[metric]}", change)
        for arm in report.arms
        for metric, change in arm.differences.items()
        if change is not None and change.relative is not None
    ]
    figure = new_figure(_WIDTH_IN, 1.4 + _ROW_IN * max(1, len(rows)))
    axes = figure.add_subplot()
    axes.axvline(0.0, color=_NO_DIFFERENCE, linewidth=1.0)
    for height, (_, change) in enumerate(rows):
        low, high, value = change.relative_low, change.relative_high, change.relative
        clear = low is not None and high is not None and (low > 0 or high < 0)
        colour = "tab:blue" if clear else "tab:gray"
        axes.plot([100 * (low or 0.0), 100 * (high or 0.0)], [height, height], color=colour, linewidth=3.0)
        axes.plot([100 * (value or 0.0)], [height], "o", color=colour)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    axes.set_xlabel(f"difference from {report.control}, % (95 % confidence interval)")
    title = report.experiment
    if report.warnings:
        title += f" ({len(report.warnings)} warnings: see the table)"
    axes.set_title(title)
    if not rows:
        axes.text(0.5, 0.5, "nothing to compare yet", ha="center", transform=axes.transAxes)
    save_figure(figure, path)
