"""What ingest measured on a shop's log, by which scene settings are chosen that the shop left open."""

from __future__ import annotations

import msgspec


class ShopFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of the log before the test range, and of the catalogue.

    A *take* is a shopper, an item and a day (UTC) with any event but an impression. What shoppers do on their
    first day can repeat nothing, so takes and purchases of that day are in no count of this kind.

    Attributes:
        days: from the first hundredth of the events to the last, so that single wrong dates do not count.
        shoppers: with a take.
        events: number by type, types that never occur left out.
        takes: after each shopper's first day.
        repeat_takes: those of them whose item the shopper took on an earlier day.
        purchases: shopper, item and day with a purchase, after each shopper's first day with one.
        repeat_purchases: those of them whose item the shopper bought on an earlier day.
        repeat_gap_days: median days between a repeat purchase and the one before; None where there is none.
        history: takes of a shopper, first day included, at the quantiles .1, .25, .5, .75 and .9.
        categories: different categories of items.
        categories_per_shopper: median of the different categories that a shopper takes from.
        items: in the catalogue.
        titled: items with a title.
        shared_titles: those of them whose title and brand another item has too.
        variant_titles: those of these that have, with all items of their title and brand, one category and
            one price, as sizes of one product have.
        carts_removed: carts that the shopper took out again before a purchase of the item, one of which some
            pieces were taken out by their part; 0 where no removal is known.
        groups: part of the items that are in a group, by item column that forms groups, bands left out.
    """

    days: float
    shoppers: int
    events: dict[str, int]
    takes: int
    repeat_takes: int
    purchases: int
    repeat_purchases: int
    repeat_gap_days: float | None
    history: tuple[float, float, float, float, float]
    categories: int
    categories_per_shopper: float
    items: int
    titled: int
    shared_titles: int
    groups: dict[str, float]
    carts_removed: float = 0.0
    variant_titles: int = 0

    @property
    def take_repeat_rate(self) -> float:
        """Part of the takes after a shopper's first day that repeat an item; 0 where there are none."""
        return self.repeat_takes / self.takes if self.takes else 0.0

    @property
    def purchase_repeat_rate(self) -> float:
        """The same of purchases."""
        return self.repeat_purchases / self.purchases if self.purchases else 0.0

    @property
    def cart_removal_rate(self) -> float:
        """Part of what was put into carts that was taken out again; 0 without carts."""
        return self.carts_removed / max(self.events.get("cart", 0), 1)

    @property
    def shared_title_rate(self) -> float:
        """Part of the titled items whose title and brand another item has too; 0 where there are none."""
        return self.shared_titles / self.titled if self.titled else 0.0

    @property
    def variant_rate(self) -> float:
        """Part of the items with a shared title that are variants of one product; 0 where there are none."""
        return self.variant_titles / self.shared_titles if self.shared_titles else 0.0

    @property
    def impression_rate(self) -> float:
        """Part of the events that are impressions; 0 without events."""
        return self.events.get("impression", 0) / max(sum(self.events.values()), 1)
