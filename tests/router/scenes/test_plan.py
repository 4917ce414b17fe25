import collections

from foundation.statistics.assignment import bucket
from router.scenes.plan import NOWHERE, PlannedArm, PlannedLayer, ScenePlan


def arm(name: str, first: int, end: int) -> PlannedArm:
    return PlannedArm("x", name, first, end, {})


USERS = [f"user-{n}" for n in range(20_000)]


def test_a_shopper_is_in_the_arm_that_holds_their_bucket() -> None:
    layer = PlannedLayer.of("salt", [arm("late", 7_000, 9_000), arm("early", 1_000, 2_000)])
    for user in USERS[:3_000]:
        at = bucket("salt", user)
        expected = 0 if 1_000 <= at < 2_000 else 1 if 7_000 <= at < 9_000 else NOWHERE
        assert layer.position(user) == expected


def test_shares_are_kept_and_layers_are_independent() -> None:
    plan = ScenePlan(
        (
            PlannedLayer.of("one", [arm("a", 0, 5_000), arm("b", 5_000, 10_000)]),
            PlannedLayer.of("two", [arm("c", 0, 2_500), arm("d", 2_500, 5_000)]),
        ),
        {},
    )
    counts = collections.Counter(plan.arms_of(user) for user in USERS)
    for first in (0, 1):
        for second, share in ((0, 0.25), (1, 0.25), (NOWHERE, 0.5)):
            # The standard deviation of a count is below 55.
            assert abs(counts[first, second] - 0.5 * share * len(USERS)) < 4 * 55


def test_another_experiment_in_the_layer_moves_nobody() -> None:
    alone = PlannedLayer.of("salt", [arm("a", 3_000, 4_000)])
    joined = PlannedLayer.of("salt", [arm("new", 0, 3_000), arm("a", 3_000, 4_000)])
    before = {user for user in USERS if alone.position(user) == 0}
    assert {user for user in USERS if joined.position(user) == 1} == before


def test_a_new_salt_divides_anew() -> None:
    one, two = (PlannedLayer.of(salt, [arm("a", 0, 5_000)]) for salt in ("one", "two"))
    moved = sum(one.position(user) != two.position(user) for user in USERS)
    assert 0.45 < moved / len(USERS) < 0.55


def test_anonymous_shoppers_are_in_no_experiment() -> None:
    plan = ScenePlan((PlannedLayer.of("one", [arm("a", 0, 10_000)]),), {})
    assert plan.arms_of("") == (NOWHERE,)
    assert plan.arms_of("somebody") == (0,)
