"""The filters: a new one is a file of this folder and a line here, or a plug-in."""

from __future__ import annotations

from registration.registry import Registry
from router.filters import (
    adult,
    already_bought,
    blocked,
    excluded,
    exposed,
    must,
    not_interested,
    on_offer,
    out_of_stock,
    price_range,
    promotion,
    purchase_cycle,
    region,
    seen_too_often,
)
from router.filters.kind import FilterKind

FILTERS: Registry[FilterKind] = Registry(
    "filter",
    "FILTERS",
    {
        "excluded": excluded.FILTER,
        "must": must.FILTER,
        "blocked": blocked.FILTER,
        "out_of_stock": out_of_stock.FILTER,
        "adult": adult.FILTER,
        "already_bought": already_bought.FILTER,
        "purchase_cycle": purchase_cycle.FILTER,
        "not_interested": not_interested.FILTER,
        "seen_too_often": seen_too_often.FILTER,
        "exposed": exposed.FILTER,
        "on_offer": on_offer.FILTER,
        "promotion": promotion.FILTER,
        "price_range": price_range.FILTER,
        "region": region.FILTER,
    },
    kind=FilterKind,
)
