"""Rule: a purchase is worth more as a sample than something put in the cart, and that more than a view."""

from __future__ import annotations

from typing import Any

from pydantic import Field, create_model

from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed
from snapshot.event_kinds import EVENT_KINDS

_GRADED = {name: kind for name, kind in EVENT_KINDS.items() if kind.is_interest}
_WEIGHTS: dict[str, Any] = {
    name: (float, Field(default=kind.sample_weight, ge=0, le=100, description=f"Weight of {kind.noun}."))
    for name, kind in _GRADED.items()
}
GradedLabelSettings = create_model(
    "GradedLabelSettings",
    __base__=GeneralRuleSettings,
    __doc__="What a take counts by the strongest thing that the shopper did with the item.",
    **_WEIGHTS,
)


def weigh(log: SampleLog, settings: GeneralRuleSettings) -> Weighed:
    """The event's weight over the mean one of the window, so that takes count as much in all as without.

    `settings`: of `GradedLabelSettings`, with a weight for each kind of interest.
    """
    import polars as pl

    grades = {kind.code: getattr(settings, name) for name, kind in _GRADED.items()}
    event = log.window["event"]
    found = event.replace_strict(grades, default=0.0, return_dtype=pl.Float64)
    takes = found.filter(event.is_in(list(grades)))
    if takes.n_unique() < 2:
        return Weighed.silent(log, "all takes are of one kind")
    return Weighed((found / float(takes.mean() or 1.0)).fill_nan(1.0))  # type: ignore[arg-type]


RULE = SampleRule(GradedLabelSettings, weigh)
