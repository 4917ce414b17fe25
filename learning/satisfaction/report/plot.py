"""The report of satisfaction as a picture: shares of satisfied shoppers by week and by group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foundation.statistics.figure_file import new_figure, save_figure
from learning.satisfaction.dimensions import DIMENSIONS
from learning.satisfaction.report.groups import ALL, ITEM, KINDS, WEEK
from learning.satisfaction.report.ratings import OVERALL
from learning.satisfaction.report.report import SatisfactionReport
from learning.satisfaction.report.summary import GroupSummary

_MOST_OF_A_KIND = 6
_WIDTH_IN, _ROW_IN = 13.0, 0.32


def plot_satisfaction(report: SatisfactionReport, path: Path) -> None:
    """Writes the picture; the path's suffix determines the format (.png, .svg, .pdf).

    Left: the share of satisfied shoppers by week, in each dimension. Right: by group, with 95 % intervals,
    pale where there are few ratings. Raises PlotsMissing, and what `save_figure` raises.
    """
    groups = [
        group for kind in (ALL, *KINDS[2:]) if kind != ITEM for group in report.of(kind)[:_MOST_OF_A_KIND]
    ]
    figure = new_figure(_WIDTH_IN, max(4.0, 1.2 + _ROW_IN * len(groups)))
    weeks, shares = figure.subplots(1, 2)
    _plot_weeks(weeks, report)
    _plot_groups(shares, groups)
    if report.look.alerts:
        figure.suptitle(f"{len(report.look.alerts)} alerts: see the table", color="tab:red")
    save_figure(figure, path)


def _plot_weeks(axes: Any, report: SatisfactionReport) -> None:
    names = [group.name for group in report.of(WEEK)]
    for dimension in (OVERALL, *DIMENSIONS.values()):
        found = report.of(WEEK, dimension)
        if found:
            at = [names.index(group.name) for group in found]
            width = 2.5 if dimension == OVERALL else 1.0
            axes.plot(at, [100 * group.csat for group in found], "o-", linewidth=width, label=dimension)
            if dimension == OVERALL:
                low, high = (
                    [100 * getattr(group, end) for group in found] for end in ("csat_low", "csat_high")
                )
                axes.fill_between(at, low, high, alpha=0.2)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_ylim(0, 100)
    axes.set_ylabel("satisfied shoppers, %")
    if names:
        axes.legend(fontsize="small")


def _plot_groups(axes: Any, groups: list[GroupSummary]) -> None:
    for row, group in enumerate(groups):
        colour = "tab:gray" if group.few else "tab:blue"
        axes.plot([100 * group.csat_low, 100 * group.csat_high], [row, row], color=colour, linewidth=3.0)
        axes.plot([100 * group.csat], [row], "o", color=colour)
    labels = [f"{group.kind} {group.name}".strip() for group in groups]
    axes.set_yticks(range(len(groups)), labels, fontsize="small")
    axes.set_ylim(max(1, len(groups)) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("satisfied shoppers, % (95 % interval; grey: few ratings)")
