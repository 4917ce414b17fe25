"""What a shop gives up where its data lacks a column, a kind of event or a profile field."""

from __future__ import annotations

from snapshot.event_kinds import EVENT_KINDS

COSTS: dict[str, str] = {
    "category": "no recall of what is popular in a shopper's categories, no spread of a page over categories",
    "standard_category": "no spread of a page over standard categories; the ranking model lacks the feature",
    "brand": "near-duplicates are recognised by title alone; the ranking model lacks the feature",
    "venue": "no page of venues, no spread of a page over them",
    "starts_at": "items are shown whether or not they have begun",
    "expires_at": "items are shown after their end",
    "shop": "no spread of a page over shops; the ranking model lacks the feature",
    "price": "the ranking model lacks price bands; experiments report no revenue",
    "title": "answers show ids; near-duplicates are not told apart",
    "in_stock": "every item counts as in stock, so sold-out items are recommended",
    "adult": "no item counts as adult, so the adult filter removes nothing",
    "created_at": "new arrivals are not preferred among items that nobody has taken yet",
    "gender": "the models lack the shopper's gender",
    "age_band": "the models lack the shopper's age band",
    "city": "the models lack the shopper's city",
    "purchasing_power": "the models lack the shopper's purchasing power",
    **{name: kind.absent for name, kind in EVENT_KINDS.items()},
}
"""Name in `Manifest.switched_off` → what that costs."""


def cost_of(name: str) -> str:
    """What the absence of a column, event or field costs; a general sentence for names added by plug-ins."""
    return COSTS.get(name, "what uses it is switched off")
