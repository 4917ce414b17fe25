import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foundation.statistics.assignment import BUCKETS, bucket


def test_the_buckets_of_a_shopper_are_fixed_for_ever() -> None:
    # A changed value would move every shopper of every running experiment to another arm.
    assert [bucket("salt", user) for user in ("", "u1", "u2", "ünï")] == [927, 6023, 4023, 6038]


@given(st.text(), st.text())
def test_every_shopper_has_a_bucket(salt: str, user: str) -> None:
    assert 0 <= bucket(salt, user) < BUCKETS
    assert bucket(salt, user) == bucket(salt, user)


def test_salt_and_shopper_do_not_run_into_each_other() -> None:
    assert bucket("ab", "c") != bucket("a", "bc")


def test_another_process_with_another_hash_seed_agrees() -> None:
    program = (
        "from foundation.statistics.assignment import bucket; print([bucket('s', str(u)) for u in range(50)])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip() == str([bucket("s", str(user)) for user in range(50)])


def test_shoppers_spread_evenly_and_independently_between_salts() -> None:
    first = np.array([bucket("layer-a", f"user-{n}") for n in range(40_000)])
    second = np.array([bucket("layer-b", f"user-{n}") for n in range(40_000)])
    counts = np.histogram2d(first, second, bins=10, range=[[0, BUCKETS]] * 2)[0]
    # Chi-square over 100 cells has mean 99 and standard deviation 14.
    chi_square = ((counts - 400) ** 2 / 400).sum()
    assert chi_square < 99 + 4 * 14
