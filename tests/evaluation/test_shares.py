import numpy as np
import pytest

from evaluation.queries import TestShopper
from evaluation.shares import ascend
from recall.channel import Recalled
from router.fusion.quota import fuse
from tests.recall.small_shop import make_query

TOTAL = 20


def shopper_taking(targets: list[int]) -> TestShopper:
    return TestShopper(make_query(), np.array(targets, np.int32), np.array(targets, np.int32))


def recalled(items: range) -> Recalled:
    return Recalled(
        np.array(items, np.int32),
        np.linspace(1, 0.1, len(items), dtype=np.float32),
        np.zeros(len(items), np.int32),
    )


def test_shares_go_where_the_targets_are() -> None:
    shoppers = [shopper_taking(list(range(1, 16)) + list(range(101, 106)))] * 3
    answers = [
        {
            "left": recalled(range(1, 41)),
            "right": recalled(range(101, 141)),
            "noise": recalled(range(201, 241)),
        }
    ] * 3
    chosen = ascend(shoppers, answers, ["left", "right", "noise"], fuse, TOTAL)
    assert chosen.recall == 1.0
    assert chosen.shares == pytest.approx({"left": 0.75, "right": 0.25, "noise": 0.0})
    assert chosen.alone == pytest.approx({"left": 0.75, "right": 0.25, "noise": 0.0})


def test_a_channel_with_little_to_say_is_judged_alone_by_that_little() -> None:
    shoppers = [shopper_taking([1, 2, 101, 102])]
    answers = [{"short": recalled(range(1, 3)), "long": recalled(range(101, 141))}]
    chosen = ascend(shoppers, answers, ["short", "long"], fuse, TOTAL)
    assert chosen.alone == pytest.approx({"short": 0.5, "long": 0.5})
    assert chosen.recall == 1.0
