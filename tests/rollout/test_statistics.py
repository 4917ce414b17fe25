import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.arm_statistics import CLUSTERS, COLUMNS, ArmStatistics, merged
from rollout.errors import StatisticsError

OBSERVATIONS = st.lists(
    st.tuples(
        st.sampled_from([f"user-{n}" for n in range(40)]),
        st.floats(0, 1e7),
        st.integers(0, 3),
        st.booleans(),
        st.booleans(),
        st.lists(st.floats(0, 1, width=32) | st.just(float("nan")), max_size=5),
    ),
    max_size=12,
)


def gathered(observations: list) -> ArmStatistics:
    arm = ArmStatistics()
    for user, latency, shown, error, degraded, scores in observations:
        arm.observe_request(
            user,
            latency,
            shown=shown,
            page_size=2,
            error=error,
            degraded=degraded,
            scores=np.array(scores, np.float32),
        )
        arm.observe_feedback(user, impressions=shown, clicks=min(shown, 1), conversions=int(shown > 2))
    return arm


@settings(max_examples=60)
@given(OBSERVATIONS, OBSERVATIONS, OBSERVATIONS)
def test_merging_is_as_if_one_replica_had_seen_all(one: list, two: list, three: list) -> None:
    parts = [gathered(part) for part in (one, two, three)]
    together = gathered([*one, *two, *three])
    assert merged(parts) == together
    assert merged(reversed(parts)) == together
    assert merged([merged(parts[:2]), parts[2]]) == merged([parts[0], merged(parts[1:])]) == together


@settings(max_examples=60)
@given(OBSERVATIONS)
def test_statistics_survive_being_written_and_read(observations: list) -> None:
    arm = gathered(observations)
    assert ArmStatistics.decode(arm.encode()) == arm


def test_merging_leaves_the_parts_alone() -> None:
    parts = [gathered([("a", 1.0, 2, False, False, [0.5])]), gathered([("b", 1.0, 2, False, False, [0.5])])]
    before = [part.encode() for part in parts]
    merged(parts)
    assert [part.encode() for part in parts] == before


def test_what_a_request_was_is_counted() -> None:
    arm = ArmStatistics()
    nothing = np.empty(0, np.float32)
    arm.observe_request("a", 3.0, shown=20, page_size=20, scores=np.array([0.1, np.nan, np.inf], np.float32))
    arm.observe_request("b", 3.0, shown=0, page_size=20, scores=nothing)
    arm.observe_request("c", 3.0, shown=19, page_size=20, degraded=True)
    arm.observe_request("d", 3.0, shown=0, page_size=20, error=True, degraded=True)
    arm.observe_feedback("a", impressions=20, clicks=2, conversions=1)
    columns = ("requests", "errors", "degraded", "empty", "short", "impressions", "clicks", "conversions")
    assert [arm.total(column) for column in columns] == [4, 1, 1, 1, 1, 20, 2, 1]
    assert arm.scores.sum() == 1
    assert arm.scores_not_finite == 2
    assert arm.latency.sum() == 4


def test_all_of_a_shopper_lies_in_one_cluster() -> None:
    arm = ArmStatistics()
    for _ in range(5):
        arm.observe_request("one", 1.0, shown=1, page_size=1, scores=np.full(3, 0.2, np.float32))
    arm.observe_feedback("one", impressions=5)
    (cluster,) = np.flatnonzero(arm.by_cluster("requests"))
    assert arm.by_cluster("requests")[cluster] == 5
    assert arm.by_cluster("impressions")[cluster] == 5
    assert arm.scores[cluster].sum() == 15


def test_shoppers_spread_over_all_clusters() -> None:
    arm = gathered([(f"user-{n}", 1.0, 1, False, False, []) for n in range(6_400)])
    assert arm.by_cluster("requests").size == CLUSTERS
    # 100 each on average, with a standard deviation of 10.
    assert 55 < arm.by_cluster("requests").min() < arm.by_cluster("requests").max() < 145


@pytest.mark.parametrize("count", [0, 1, 30, 1_000, 9_000, 11_000, 60_000])
def test_distinct_shoppers_are_counted_within_five_per_cent(count: int) -> None:
    arm = ArmStatistics()
    for n in range(count):
        arm._users.add(int.from_bytes(np.random.default_rng(n).bytes(8), "big") if count < 100 else _mixed(n))
    again = arm.users
    assert abs(again - count) <= max(0.05 * count, 0.5)


def _mixed(n: int) -> int:
    """SplitMix64 of n: hashes without the price of hashing."""
    z = (n * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return z ^ (z >> 31)


def test_a_shopper_who_comes_again_is_counted_once() -> None:
    arm = gathered([("same", 1.0, 1, False, False, [])] * 50)
    assert arm.users == 1


@pytest.mark.parametrize("latency", [-1.0, float("nan"), float("inf")])
def test_a_latency_that_cannot_be_is_refused_and_leaves_no_trace(latency: float) -> None:
    arm = ArmStatistics()
    with pytest.raises(ValueError, match="latency_ms"):
        arm.observe_request("a", latency, shown=1, page_size=1)
    assert arm == ArmStatistics()


@pytest.mark.parametrize("damaged", [b"", b"\x00", b"\x93\x01\x02\x03", ArmStatistics().encode()[:-1]])
def test_damaged_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(StatisticsError, match="cannot be read"):
        ArmStatistics.decode(damaged)


def test_statistics_from_before_ratings_are_read() -> None:
    arm = gathered([("a", 1.0, 3, False, True, [0.5]), ("b", 2.0, 0, True, False, [])])
    _, counts, *others = msgspec.msgpack.decode(arm.encode())
    before = [count for at, count in enumerate(counts) if at % len(COLUMNS) < 8]
    assert ArmStatistics.decode(msgspec.msgpack.encode([1, before, *others])) == arm
    arm.observe_rating("a", satisfied=False)
    assert [arm.total("ratings"), arm.total("dissatisfied")] == [1, 1]
