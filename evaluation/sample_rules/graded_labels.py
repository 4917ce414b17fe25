"""Rule: a purchase is worth more as a sample than something put in the cart, and that more than a view."""

from __future__ import annotations

from pydantic import Field

from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed
from snapshot.event_codes import CART, FAVORITE, PURCHASE, VIEW


class GradedLabelSettings(GeneralRuleSettings):
    """What a take counts by the strongest thing that the shopper did with the item."""

    view: float = Field(default=1.0, ge=0, le=100, description="Weight of a view (click).")
    favorite: float = Field(default=2.0, ge=0, le=100, description="Weight of a favourite.")
    cart: float = Field(default=3.0, ge=0, le=100, description="Weight of putting it in the cart.")
    purchase: float = Field(default=4.0, ge=0, le=100, description="Weight of a purchase.")


def weigh(log: SampleLog, settings: GradedLabelSettings) -> Weighed:
    """The event's weight over the mean one of the window, so that takes count as much in all as without."""
    import polars as pl

    grades = {
        VIEW: settings.view,
        FAVORITE: settings.favorite,
        CART: settings.cart,
        PURCHASE: settings.purchase,
    }
    event = log.window["event"]
    found = event.replace_strict(grades, default=0.0, return_dtype=pl.Float64)
    takes = found.filter(event.is_in(list(grades)))
    if takes.n_unique() < 2:
        return Weighed.silent(log, "all takes are of one kind")
    return Weighed((found / float(takes.mean() or 1.0)).fill_nan(1.0))  # type: ignore[arg-type]


RULE = SampleRule(GradedLabelSettings, weigh)
