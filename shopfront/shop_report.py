"""Tables of what ingest measured on a shop's log, and of the scene settings that follow from it."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from features.shop_fit.auto import AUTO
from features.shop_fit.proposal import FOR_EVER_DAYS, propose
from snapshot.shop_facts import ShopFacts


def shop_tables(facts: ShopFacts) -> list[Table]:
    """What was measured with its meaning, and what each `auto` of the scene file becomes and why."""
    return [_measured(facts), _chosen(facts)]


def _days(days: float) -> str:
    """A window in words."""
    return "for ever" if days >= FOR_EVER_DAYS else f"{days:g} day{'' if days == 1 else 's'}"


def _measured(facts: ShopFacts) -> Table:
    table = _table(f"measured on {facts.days:,.0f} days", "", "what it means")
    table.columns[1].justify = "right"
    low, _, middle, _, high = facts.history
    gap = "–" if facts.repeat_gap_days is None else _days(facts.repeat_gap_days)
    grouped = ", ".join(f"{name} {part:.0%}" for name, part in facts.groups.items() if part) or "none"
    rows = [
        ("takes that repeat", f"{facts.take_repeat_rate:.1%}", "of an item taken on an earlier day"),
        ("purchases that repeat", f"{facts.purchase_repeat_rate:.1%}", "of an item bought on an earlier day"),
        ("median repeat gap", gap, "from a purchase to the next of the item"),
        ("carts taken out again", f"{facts.cart_removal_rate:.1%}", _removals(facts)),
        ("history", f"{middle:,.0f}", f"takes of the median shopper; {low:,.0f} to {high:,.0f} of most"),
        ("categories", f"{facts.categories:,}", f"{facts.categories_per_shopper:,.0f} of the median shopper"),
        ("shared titles", f"{facts.shared_title_rate:.0%}", f"with brand; of {facts.titled:,} titled items"),
        ("impressions", f"{facts.impression_rate:.0%}", f"of events; {_events(facts)}"),
        ("items in a group", f"{len([part for part in facts.groups.values() if part])}", grouped),
    ]
    for name, value, meaning in rows:
        table.add_row(name, value, meaning)
    return table


def _chosen(facts: ShopFacts) -> Table:
    proposal = propose(facts)
    again = proposal.again.value
    table = _table(f"scene setting, where {AUTO}", "becomes", "because")
    for name, becomes, because in (
        ("again: share", f"{again:.0%} of the weight" if again else "left out", proposal.again.reason),
        (
            "purchase_cycle: learned",
            "on" if proposal.cycles.value else "off",
            proposal.cycles.reason,
        ),
        (
            "purchase_cycle: window_days",
            _days(proposal.window_days.value),
            proposal.window_days.reason,
        ),
        ("dedup: enabled", "on" if proposal.dedup.value else "off", proposal.dedup.reason),
    ):
        table.add_row(Text(name, style="yellow"), becomes, because)
    return table


def _removals(facts: ShopFacts) -> str:
    removals = facts.events.get("remove_from_cart", 0)
    return f"by {removals:,} removals, which count as no interest" if removals else "the log has no removals"


def _events(facts: ShopFacts) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in facts.events.items())


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
