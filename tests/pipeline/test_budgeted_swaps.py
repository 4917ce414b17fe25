"""Pages changed for what groups demand: hard limits always hold, the loss never exceeds its bound."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.budgeted_swaps import NO_LIMIT, Demands, swap_within

NOTHING_KEPT = np.zeros(4, np.bool_)
VALUES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.1])


def demands(
    members: list[list[int]],
    most: list[int] | None = None,
    better: list[int] | None = None,
    least: list[int] | None = None,
) -> Demands:
    count = len(members)
    rows = np.zeros((count, VALUES.size), np.bool_)
    for group, each in enumerate(members):
        rows[group, each] = True
    upper = np.array(most or [NO_LIMIT] * count)
    return Demands(
        rows,
        upper,
        np.minimum(np.array(better or [NO_LIMIT] * count), upper),
        np.array(least or [0] * count),
        np.ones(count),
    )


def page(demanded: Demands, max_loss: float = 1.0, kept: list[int] = [], groups: object = None) -> list[int]:  # noqa: B006
    fixed = NOTHING_KEPT.copy()
    fixed[kept] = True
    usable = np.ones(VALUES.size, np.bool_)
    return swap_within(VALUES, 4, usable, fixed, demanded, max_loss, groups).page.tolist()  # type: ignore[arg-type]


def test_what_is_too_much_leaves_and_the_best_follow() -> None:
    assert page(demands([[1, 2]], most=[1])) == [0, 1, 3, 4]
    assert page(demands([[0]], most=[0]), 0.0) == [1, 2, 3, 4]
    assert page(demands([[0]], most=[0]), kept=[3]) == [1, 2, 4, 3]
    assert page(demands([[0, 1, 2, 3, 4]], most=[1])) == [0, 5]


def test_a_lift_takes_the_cheapest_slot_where_the_loss_allows() -> None:
    lifted = demands([[5]], least=[1])
    assert page(lifted) == [0, 1, 2, 5]
    assert page(lifted, 0.5 / 3 - 0.001) == [0, 1, 2, 3]
    assert page(lifted, 0.5 / 3 + 0.001) == [0, 1, 2, 5]
    assert page(lifted, kept=[3]) == [0, 1, 5, 3]
    # The item of slot 3 is what another group needs.
    assert page(demands([[5], [3]], least=[1, 1])) == [0, 1, 5, 3]
    # Nothing of a group that is full comes in.
    assert page(demands([[5], [0, 5]], better=[NO_LIMIT, 1], least=[1, 0])) == [5, 1, 2, 3]


def test_what_is_ahead_makes_way_where_the_loss_allows() -> None:
    ahead = demands([[0, 3]], better=[1])
    assert page(ahead) == [0, 1, 2, 4]
    assert page(ahead, 0.01) == [0, 1, 2, 3]


def test_slots_of_groups_take_items_of_their_group() -> None:
    groups = np.array([1, 1, 2, 2, 1, 2], np.int32)
    assert page(demands([[0]], most=[0]), groups=groups) == [4, 1, 2, 3]
    assert page(demands([[0, 4]], most=[0]), groups=groups) == [1, 2, 3]
    assert page(demands([[4]], least=[1]), groups=groups) == [0, 4, 2, 3]


@st.composite
def problems(draw: st.DrawFn):  # type: ignore[no-untyped-def]
    count, slots, wants = draw(st.integers(1, 14)), draw(st.integers(1, 8)), draw(st.integers(1, 4))
    slots = min(slots, count)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = random.random(count) * (random.random(count) < 0.9)
    members = random.random((wants, count)) < 0.4
    most = np.where(random.random(wants) < 0.5, random.integers(0, 4, wants), NO_LIMIT)
    better = np.minimum(np.where(random.random(wants) < 0.5, random.integers(0, 4, wants), NO_LIMIT), most)
    least = random.integers(0, 4, wants)
    groups = random.integers(0, 3, count).astype(np.int32) if random.random() < 0.4 else None
    demanded = Demands(members, most, better, least, 2 * random.random(wants))
    kept = random.random(slots) < 0.2
    return values, slots, random.random(count) < 0.8, kept, demanded, float(random.random() * 0.3), groups


@settings(max_examples=80, deadline=None)
@given(problems())
def test_limits_hold_and_the_loss_is_bounded(problem) -> None:  # type: ignore[no-untyped-def]
    values, slots, usable, kept, demanded, max_loss, groups = problem
    swapped = swap_within(*problem)
    shown = swapped.page
    counts = demanded.members[:, shown].sum(axis=1)
    assert (counts <= demanded.most).all()
    assert np.unique(shown).size == shown.size <= slots
    assert usable[shown[shown >= slots]].all()
    # What `most` alone leaves is what the loss is a part of.
    without = Demands(
        demanded.members, demanded.most, demanded.most, np.zeros_like(demanded.least), demanded.urgency
    )
    capped = swap_within(values, slots, usable, kept, without, 0.0, groups)
    assert np.isclose(capped.value, values[capped.page].sum())
    assert values[shown].sum() >= (1 - max_loss) * capped.value - 1e-9
    assert np.isclose(capped.value - values[shown].sum(), swapped.lost.sum())
    allowed = np.minimum(demanded.urgency, 1) * max_loss * capped.value
    assert (swapped.lost <= allowed + 1e-9)[swapped.held == 0].all()
    assert shown.size == capped.page.size
    if groups is not None:
        assert (groups[shown] == groups[capped.page]).all()
    elif shown.size < slots:
        left = np.flatnonzero(usable & ~np.isin(np.arange(values.size), shown))
        left = left[left >= slots]
        full = demanded.members[:, capped.page].sum(axis=1) >= demanded.most
        assert all((demanded.members[:, row] & full).any() for row in left)
    stays = np.flatnonzero(kept)[: shown.size]
    removed = ~np.isin(stays, shown)
    assert not removed.any() or swapped.removed.any()
