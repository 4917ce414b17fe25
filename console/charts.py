"""Charts as SVG, drawn by the server: no script and no inline style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from console.words import milliseconds, number

_WIDTH, _HEIGHT = 640, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 24
SERIES = 6
"""Colours that there are."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name and (x, y) points; y that is not finite leaves a gap."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, value, and the interval of the value where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """One stage on a time line, milliseconds."""

    name: str
    start: float
    length: float
    kind: str = "ok"


def lines(label: str, series: Sequence[Series], unit: str = "") -> Markup:
    """Lines over time; x in seconds before now (at most 0)."""
    known = [y for each in series for _, y in each.points if math.isfinite(y)]
    if not known:
        return Markup('<p class="empty">Nothing was counted yet.</p>')
    top = _round_up(max(known))
    first = min((x for each in series for x, _ in each.points), default=-1.0)
    first = min(first, -1.0)

    def at(x: float, y: float) -> str:
        across = _LEFT + (x - first) / -first * (_WIDTH - _LEFT - _RIGHT)
        return f"{across:.1f},{_HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    parts = [open_plot(label, _WIDTH, _HEIGHT)]
    for share in (0.0, 0.5, 1.0):
        height = _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>'
            f'<text class="axis" x="{_LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">'
            f"{number(top * share, 2 if top < 10 else 0)}</text>"
        )
    parts.append(
        f'<text class="axis" x="{_LEFT}" y="{_HEIGHT - 6}">{number(-first / 60, 1)} min ago</text>'
        f'<text class="axis" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">now</text>'
    )
    for index, each in enumerate(series):
        runs: list[list[str]] = [[]]
        for x, y in each.points:
            if math.isfinite(y):
                runs[-1].append(at(x, y))
            elif runs[-1]:
                runs.append([])
        for run in runs:
            if run:
                points = " ".join(run if len(run) > 1 else run * 2)
                parts.append(f'<polyline class="line s{index % SERIES}" points="{points}"/>')
    parts.append("</svg>")
    legend = "".join(
        f'<li><span class="key s{index % SERIES}"></span>{escape(each.name)} '
        f"<b>{_newest(each)}{escape(unit)}</b></li>"
        for index, each in enumerate(series)
    )
    return Markup(f'<figure class="chart">{"".join(parts)}<ul class="legend">{legend}</ul></figure>')


def bars(label: str, rows: Sequence[Bar], digits: int = 3) -> Markup:
    """Horizontal bars, one below the other, with their intervals."""
    known = [
        value for row in rows for value in (row.value, row.high) if value is not None and math.isfinite(value)
    ]
    if not known:
        return Markup('<p class="empty">Nothing was measured.</p>')
    top = max(*known, 1e-12)
    height, name_width, width = 26, 190, 640
    room = width - name_width - 70
    parts = [open_plot(label, width, height * len(rows) + 4)]
    for index, row in enumerate(rows):
        middle = index * height + height / 2
        value = row.value if math.isfinite(row.value) else 0.0
        length = max(0.0, value) / top * room
        mark = " marked" if row.is_marked else ""
        parts.append(
            f'<text class="label{mark}" x="{name_width - 8}" y="{middle + 4:.1f}" text-anchor="end">'
            f"{escape(row.name if len(row.name) <= 28 else row.name[:27] + '…')}</text>"
            f'<rect class="bar{mark}" x="{name_width}" y="{middle - 8:.1f}" width="{length:.1f}" '
            'height="16" rx="3"/>'
        )
        end = length
        if (
            row.low is not None
            and row.high is not None
            and math.isfinite(row.low)
            and math.isfinite(row.high)
        ):
            low, high = (max(0.0, each) / top * room + name_width for each in (row.low, row.high))
            end = max(length, high - name_width)
            parts.append(
                f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
            )
        parts.append(
            f'<text class="value" x="{name_width + end + 6:.1f}" y="{middle + 4:.1f}">'
            f"{number(row.value, digits)}</text>"
        )
    return Markup("".join(parts) + "</svg>")


def waterfall(label: str, spans: Sequence[Span], total: float) -> Markup:
    """Stages on one time line of `total` milliseconds."""
    if not spans:
        return Markup('<p class="empty">The router sent no stages.</p>')
    ends = [span.start + span.length for span in spans if math.isfinite(span.start + span.length)]
    top = max(total if math.isfinite(total) else 0.0, *ends, 0.001)
    height, name_width, width = 24, 170, 760
    room = width - name_width - 70
    parts = [open_plot(label, width, height * len(spans) + 26)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = name_width + share * room
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height * len(spans)}"/>'
            f'<text class="axis" x="{x:.1f}" y="{height * len(spans) + 16}" text-anchor="middle">'
            f"{milliseconds(top * share)}</text>"
        )
    for index, span in enumerate(spans):
        middle = index * height + height / 2
        start = max(0.0, span.start if math.isfinite(span.start) else 0.0) / top * room
        length = max(2.0, (span.length if math.isfinite(span.length) else 0.0) / top * room)
        parts.append(
            f'<text class="label" x="{name_width - 8}" y="{middle + 4:.1f}" text-anchor="end">'
            f"{escape(span.name if len(span.name) <= 26 else span.name[:25] + '…')}</text>"
            f'<rect class="span k-{escape(span.kind)}" x="{name_width + start:.1f}" y="{middle - 7:.1f}" '
            f'width="{length:.1f}" height="14" rx="3"/>'
            f'<text class="value" x="{name_width + start + length + 5:.1f}" y="{middle + 4:.1f}">'
            f"{milliseconds(span.length)}</text>"
        )
    return Markup("".join(parts) + "</svg>")


def ranks(label: str, stages: Sequence[str], positions: Sequence[tuple[int, int]]) -> Markup:
    """An item's rank at each stage: (rank, of); 0 = gone. The top is rank 1."""
    if not positions:
        return Markup("")
    width, height, left, top, bottom = 760, 190, 44, 16, 46
    deepest = max((rank for rank, _ in positions), default=1) or 1
    step = (width - left - 30) / max(1, len(stages) - 1)

    def down(rank: int) -> float:
        # Logarithmic: what happens near the page matters most.
        share = math.log1p(rank - 1) / math.log1p(max(deepest - 1, 1))
        return top + share * (height - top - bottom)

    parts = [open_plot(label, width, height)]
    for index, stage in enumerate(stages):
        x = left + index * step
        gone = index >= len(positions) or not positions[index][0]
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - bottom}"/>'
            f'<text class="axis{" gone" if gone else ""}" x="{x:.1f}" '
            f'y="{height - bottom + 18 + 14 * (index % 2)}" '
            f'text-anchor="middle">{escape(stage)}</text>'
        )
    points = [
        (left + index * step, down(rank), rank, of) for index, (rank, of) in enumerate(positions) if rank
    ]
    if points:
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in points)
        parts.append(f'<polyline class="line s0" points="{joined}"/>')
    parts += [
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        f'<text class="value" x="{x + 7:.1f}" y="{y - 6:.1f}">{rank}</text>'
        for x, y, rank, of in points
    ]
    return Markup("".join(parts) + "</svg>")


def distribution(label: str, counts: Sequence[float], bounds: Sequence[float]) -> Markup:
    """A small histogram, from the first to the last bucket that has something; bounds in seconds."""
    filled = [index for index, count in enumerate(counts) if math.isfinite(count) and count > 0]
    if not filled or len(bounds) != len(counts):
        return Markup("–")
    first, last = filled[0], filled[-1]
    most, width, height = max(counts[first : last + 1]), 14, 26
    said = f"{label}: {_bucket(bounds, first)} to {_bucket(bounds, last)}"
    parts = [
        f'<svg class="mini" role="img" aria-label="{escape(said)}" width="{(last - first + 1) * width}" '
        f'height="{height}" viewBox="0 0 {(last - first + 1) * width} {height}"><title>{escape(said)}</title>'
    ]
    for position, index in enumerate(range(first, last + 1)):
        tall = max(1.0, counts[index] / most * height)
        parts.append(
            f'<rect class="bar" x="{position * width + 1}" y="{height - tall:.1f}" width="{width - 2}" '
            f'height="{tall:.1f}"><title>up to {_bucket(bounds, index)}: {number(counts[index])}</title>'
            "</rect>"
        )
    return Markup("".join(parts) + "</svg>")


def _bucket(bounds: Sequence[float], index: int) -> str:
    bound = bounds[index]
    if math.isfinite(bound):
        return milliseconds(bound * 1_000)
    return f"more than {milliseconds(bounds[index - 1] * 1_000)}" if index else "any time"


def _newest(series: Series) -> str:
    known = [y for _, y in series.points if math.isfinite(y)]
    return number(known[-1], 1) if known else "–"


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 × 10ⁿ above a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 5, 10) if value <= step * power), 10 * power)


def open_plot(label: str, width: int, height: int) -> str:
    """The beginning of an SVG element of a size in its own units; `label` names it for screen readers."""
    return (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
        'preserveAspectRatio="xMinYMin meet">'
    )
