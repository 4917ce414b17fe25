"""A chart of values with their intervals over days, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from console.charts import SERIES, open_plot
from console.words import moment, significant

_WIDTH, _HEIGHT = 640, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 26


@dataclass(frozen=True, slots=True)
class Interval:
    """A value at a time (unix seconds), and its interval; what is not finite is left out."""

    at: float
    value: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        """Whether it can be drawn."""
        return all(map(math.isfinite, (self.at, self.value, self.low, self.high)))


def intervals(label: str, series: Mapping[str, Sequence[Interval]]) -> Markup:
    """One line for each name, within a band of its interval."""
    known = {name: [each for each in points if each.is_known] for name, points in series.items()}
    every = [each for points in known.values() for each in points]
    if not every:
        return Markup('<p class="empty">Too little was measured for intervals.</p>')
    first, last = min(each.at for each in every), max(each.at for each in every)
    bottom, top = min(each.low for each in every), max(each.high for each in every)
    bottom = max(0.0, bottom) if min(each.value for each in every) >= 0 else bottom
    span, height = max(last - first, 1.0), max(top - bottom, 1e-12)

    def at(when: float, value: float) -> str:
        across = _LEFT + (when - first) / span * (_WIDTH - _LEFT - _RIGHT)
        share = min(1.0, max(0.0, (value - bottom) / height))
        return f"{across:.1f},{_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    parts = [open_plot(label, _WIDTH, _HEIGHT)]
    for share in (0.0, 0.5, 1.0):
        y = _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="axis" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{significant(bottom + share * height, 3)}</text>"
        )
    parts.append(
        f'<text class="axis" x="{_LEFT}" y="{_HEIGHT - 6}">{moment(first * 1_000)[:16]}</text>'
        f'<text class="axis" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">'
        f"{moment(last * 1_000)[:16]}</text>"
    )
    for index, points in enumerate(known.values()):
        if not points:
            continue
        colour = index % SERIES
        if len(points) > 1:
            around = [at(each.at, each.high) for each in points]
            around += [at(each.at, each.low) for each in reversed(points)]
            parts.append(f'<polygon class="band s{colour}" points="{" ".join(around)}"/>')
        middle = [at(each.at, each.value) for each in points]
        joined = " ".join(middle * 2 if len(middle) == 1 else middle)
        parts.append(f'<polyline class="line s{colour}" points="{joined}"/>')
    parts.append("</svg>")
    legend = "".join(
        f'<li><span class="key s{index % SERIES}"></span>{escape(name)}'
        f"{f' <b>{significant(points[-1].value)}</b>' if points else ''}</li>"
        for index, (name, points) in enumerate(known.items())
    )
    return Markup(f'<figure class="chart">{"".join(parts)}<ul class="legend">{legend}</ul></figure>')
