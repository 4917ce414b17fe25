import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import LoadTestError
from loadtest.slo import Measured, judge, parse_slo


def measured(latencies_ms: list[float], failed: int = 0, unsent: int = 0, rate: float = 100.0) -> Measured:
    latencies = np.sort(np.array(latencies_ms)) * 1e6
    return Measured(
        latency_ns=lambda q: (
            float(np.percentile(latencies, q, method="inverted_cdf")) if latencies.size else None
        ),
        mean_ns=float(latencies.mean()) if latencies.size else None,
        max_ns=float(latencies[-1]) if latencies.size else None,
        sent=len(latencies_ms) + failed,
        failed=failed,
        unsent=unsent,
        rate=rate,
    )


def test_every_clause_is_judged_by_itself() -> None:
    text = "p50=2ms, p99.9=5ms,mean=3ms,max=4ms,errors=10%,rate=50/s"
    verdicts = judge(parse_slo(text), measured([1, 2, 3, 10], failed=1))
    assert {verdict.clause.split("=")[0]: verdict.held for verdict in verdicts} == {
        "p50": True,
        "p99.9": False,
        "mean": False,
        "max": False,
        "errors": False,
        "rate": True,
    }
    assert [verdict.measured for verdict in verdicts][:2] == ["2.00 ms", "10.00 ms"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p99", "'p99' is not a clause"),
        ("", "'' is not a clause"),
        ("p99=50", "p99: '50' is not a duration; write it with a unit"),
        ("p99=0s", "can never hold"),
        ("p0=5ms", "not a percentile between 0 and 100"),
        ("p100=5ms", "'p100' is unknown"),
        ("errors=0.1", "errors=0.1 is not a share; write it in percent"),
        ("errors=101%", "is not a share"),
        ("rate=50", "rate=50 has no unit"),
        ("speed=5ms", "'speed' is unknown; write for example p99=50ms"),
        ("p99=5ms,p99=6ms", "p99 is given twice"),
    ],
)
def test_a_clause_that_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(LoadTestError, match=message):
        parse_slo(text)


def test_no_data_never_passes() -> None:
    nothing = measured([], rate=0.0)
    assert not any(verdict.held for verdict in judge(parse_slo("p99=1h,mean=1h,max=1h,errors=100%"), nothing))


def test_requests_that_could_not_be_sent_count_as_errors() -> None:
    assert judge(parse_slo("errors=10%"), measured([1] * 9, unsent=1))[0].held
    assert not judge(parse_slo("errors=10%"), measured([1] * 9, unsent=2))[0].held


@given(
    st.lists(st.floats(0.01, 1e3), min_size=1, max_size=50),
    st.integers(1, 99),
    st.integers(1, 1_000),
    st.integers(1, 1_000),
)
def test_a_looser_limit_holds_whatever_a_tighter_one_holds(
    latencies: list[float], percentile: int, limit: int, more: int
) -> None:
    tight, loose = (
        judge(parse_slo(f"p{percentile}={value}ms"), measured(latencies))[0].held
        for value in (limit, limit + more)
    )
    assert loose or not tight
