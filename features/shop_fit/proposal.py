"""Which scene settings suit a shop, by what was measured on its log, and why.

The limits lie between logs on which settings were compared: of a grocer (41 % of purchases repeat one), a
gift wholesaler (45 %), a market place (11 % of takes, 4 % of purchases within nine days) and reviewed
cosmetics (none). `docs/manual/data.md` has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from snapshot.shop_facts import ShopFacts

FOR_EVER_DAYS = 36_500.0

_EVIDENCE = 100
"""Takes or purchases below which nothing is concluded from them."""
_OFTEN, _SELDOM = 0.05, 0.01
"""Part of takes that repeat an item: from the first on `again` leads, below the second it is left out."""
_LEADING, _BESIDE = 0.75, 0.25
"""Part of the scene's weight that `again` has where it leads, and where it only takes part."""
_STAPLES, _HARDLY = 0.1, 0.02
"""Part of purchases that repeat one: from the first on an item soon returns, below the second never."""
_SHORT_LOG_DAYS = 30.0
"""A log shorter than this sees only the soonest repeats: what looks seldom in it is not."""
_LONG_DAYS, _UNKNOWN_DAYS = 365.0, 30.0
_PART_OF_GAP = 0.04
_SHORTEST_DAYS = 1.0
_MOST_SHARED = 0.5
_VARIANTS = 0.5
"""Part of shared titles from which on they are those of variants, where all of a title have one price."""
_LEAST_GROUPED = 0.1
_SCATTERED: Mapping[str, tuple[int, int]] = {"category": (4, 2), "standard_category": (4, 2), "brand": (5, 2)}
"""Item column → window and maximum of its rule."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Proposed(Generic[T]):
    """A value and, in words for the shop, the measure it follows from."""

    value: T
    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What suits a shop.

    again        part of a scene's weight, 0 to below 1, that the channel `again` has; 0 = it is left out
    cycles       whether the filter `purchase_cycle` goes by learned cycles
    window_days  of the filter `already_bought`, and of `purchase_cycle` where it learned nothing
    dedup        whether the reranker `dedup` is on
    scatter      item column → (window, max) of the reranker `scatter`, most important first
    """

    again: Proposed[float]
    cycles: Proposed[bool]
    window_days: Proposed[float]
    dedup: Proposed[bool]
    scatter: Proposed[Mapping[str, tuple[int, int]]]


def propose(facts: ShopFacts) -> Proposal:
    """The settings that suit a shop of which these are the facts."""
    return Proposal(_again(facts), _cycles(facts), _window(facts), _dedup(facts), _scatter(facts))


def _again(facts: ShopFacts) -> Proposed[float]:
    if facts.takes < _EVIDENCE:
        return Proposed(_BESIDE, f"{facts.takes:,} takes after a shopper's first day are too few to judge by")
    measured = f"{facts.take_repeat_rate:.1%} of {facts.takes:,} takes repeat an item of an earlier day"
    if facts.take_repeat_rate >= _OFTEN:
        return Proposed(_LEADING, f"{measured}, so past items lead the page")
    if facts.take_repeat_rate >= _SELDOM:
        return Proposed(_BESIDE, f"{measured}, so past items take part")
    return Proposed(0.0, f"{measured}, so the channel of past items is left out")


def _cycles(facts: ShopFacts) -> Proposed[bool]:
    if facts.purchases < _EVIDENCE:
        return Proposed(
            False, f"{facts.purchases:,} purchases after a shopper's first are too few to learn cycles from"
        )
    if facts.days < _SHORT_LOG_DAYS:
        return Proposed(False, f"a log of {facts.days:.0f} days is too short to learn cycles from")
    return Proposed(True, f"{facts.purchases:,} purchases after a shopper's first tell how soon they repeat")


def _window(facts: ShopFacts) -> Proposed[float]:
    if facts.purchases < _EVIDENCE:
        return Proposed(
            _UNKNOWN_DAYS, f"{facts.purchases:,} purchases after a shopper's first are too few to judge by"
        )
    measured = f"{facts.purchase_repeat_rate:.1%} of {facts.purchases:,} purchases repeat an earlier one"
    gap, often = facts.repeat_gap_days, _STAPLES
    if facts.days < _SHORT_LOG_DAYS:
        measured += f" in only {facts.days:.0f} days"
        often = _HARDLY
    if facts.purchase_repeat_rate >= often and gap is not None:
        days = max(round(_PART_OF_GAP * gap, 1), _SHORTEST_DAYS)
        return Proposed(
            days, f"{measured}, half of them after {gap:.0f} days or more; {_PART_OF_GAP:.0%} of that gap"
        )
    if facts.purchase_repeat_rate >= _HARDLY:
        return Proposed(_LONG_DAYS, f"{measured}: seldom")
    return Proposed(FOR_EVER_DAYS, f"{measured}: hardly ever, so what is owned is never shown again")


def _dedup(facts: ShopFacts) -> Proposed[bool]:
    if not facts.titled:
        return Proposed(False, "no item has a title to compare")
    measured = f"{facts.shared_title_rate:.0%} of {facts.titled:,} titled items share title and brand"
    if facts.shared_title_rate > _MOST_SHARED and facts.variant_rate >= _VARIANTS:
        return Proposed(
            True,
            f"{measured} with another, {facts.variant_rate:.0%} of them at one price: sizes of one product",
        )
    if facts.shared_title_rate > _MOST_SHARED:
        return Proposed(False, f"{measured} with another, so that an equal title is no sign of a duplicate")
    return Proposed(True, f"{measured} with another, which counts as the same product")


def _scatter(facts: ShopFacts) -> Proposed[Mapping[str, tuple[int, int]]]:
    there = [name for name in _SCATTERED if facts.groups.get(name, 0.0) >= _LEAST_GROUPED]
    if "category" in there:
        # The coarse category would forbid what the fine one allows.
        there = [name for name in there if name != "standard_category"]
    parts = ", ".join(f"{name} of {facts.groups[name]:.0%}" for name in there)
    return Proposed(
        {name: _SCATTERED[name] for name in there},
        f"known is the {parts} of the items" if there else "no item column forms groups: nothing to spread",
    )
