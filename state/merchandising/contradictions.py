"""Exposure plans that cannot be kept together: what one guarantees, another caps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from snapshot.catalogue import Catalogue
from state.merchandising.rules import ITEM, BusinessRule


def contradictions(
    added: BusinessRule, others: Sequence[BusinessRule], catalogue: Catalogue | None
) -> list[str]:
    """What is wrong with a plan beside others, one line each; empty where they can be kept together.

    A guarantee and a cap contradict where every exposure that the guarantee needs counts under the cap: all
    items, the scenes and the window of the one are among those of the other, and the guarantee is more. So do
    the guarantees of several items with the cap of their group. `catalogue`: which item is of which group;
    None = only plans about the same are compared.
    """
    problems = []
    for capped in (added, *others):
        if capped.plan is None or capped.plan.cap is None:
            continue
        under = [each for each in (added, *others) if each is not capped and _within(each, capped, catalogue)]
        if capped is not added and added not in under:
            continue
        cap = capped.plan.cap
        largest = [each for each in under if each.plan is not None and each.plan.guarantee > cap]
        if largest:
            problems.append(f"{_named(largest[0])} contradicts {_named(capped)}: it guarantees more")
        elif (total := _together(under)) > cap:
            problems.append(
                f"{_named(capped)} contradicts what is guaranteed to its items: {total:,} exposures in all"
            )
    return problems


def _together(plans: Sequence[BusinessRule]) -> int:
    """Exposures guaranteed to different items; of plans about the same item the largest guarantee."""
    largest: dict[str, int] = {}
    for rule in plans:
        if rule.by == ITEM and rule.plan is not None:
            largest[rule.value] = max(largest.get(rule.value, 0), rule.plan.guarantee)
    return sum(largest.values())


def _within(inner: BusinessRule, outer: BusinessRule, catalogue: Catalogue | None) -> bool:
    """Whether every exposure that counts for `inner` counts for `outer` too."""
    if inner.plan is None or outer.plan is None or outer.scene not in ("", inner.scene):
        return False
    if inner.expires_at is None or outer.expires_at is None:
        return False
    times = (outer.plan.starts_at, inner.plan.starts_at, inner.expires_at, outer.expires_at)
    if any(later < earlier for earlier, later in pairwise(times)):
        return False
    if (inner.by, inner.value) == (outer.by, outer.value):
        return True
    if catalogue is None or outer.by == ITEM:
        return False
    names = catalogue.names(outer.by, np.arange(catalogue.code_count(outer.by) + 1))
    if inner.by == ITEM:
        item = catalogue.dense([inner.value])
        return bool(item[0]) and names[int(catalogue.column(outer.by)[item[0]])] == outer.value
    inner_names = catalogue.names(inner.by, np.arange(catalogue.code_count(inner.by) + 1))
    if inner.value not in inner_names[1:] or outer.value not in names[1:]:
        return False
    members = catalogue.column(inner.by) == inner_names.index(inner.value, 1)
    return bool((catalogue.column(outer.by)[members] == names.index(outer.value, 1)).all())


def _named(rule: BusinessRule) -> str:
    terms = rule.plan
    promise = ""
    if terms is not None:
        parts = [f"guarantee {terms.guarantee:,}"] if terms.guarantee else []
        parts += [f"cap {terms.cap:,}"] if terms.cap is not None else []
        promise = f" ({', '.join(parts)})"
    return f"the plan of {rule.by} {rule.value!r} in {rule.scene or 'all scenes'}{promise}"
