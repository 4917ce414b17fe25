"""Growth is told from a plateau, and from a plateau that is reached late."""

from __future__ import annotations

import os
import random
from collections import Counter

import psutil
import pytest

from benchmarks.memory_growth import Course, Held, held_by_kind
from benchmarks.random_requests import (
    STREAMS,
    enormous_request,
    random_message,
    random_request,
    unary_methods,
)
from benchmarks.wire_garbage import CASES, faults
from protos.shopfront.v1.recommend_pb2 import RecommendResponse


def course(*mib: float, per_note: int = 7_000, files: int = 0) -> Course:
    """A course in which replicas hold so many MiB, and so many more files each time."""
    made = Course()
    for number, each in enumerate(mib):
        made.requests.append(number * per_note)
        made.held.setdefault("replicas", []).append(Held(each + 100, each, 50 + files * number, 30))
    return made


def grows(made: Course) -> object:
    return made.verdict()["replicas"]["grows"]


def test_a_plateau_is_no_growth_however_it_was_reached() -> None:
    assert grows(course(*[200.0] * 20)) is False
    assert grows(course(*range(100, 200, 10), *[200.0] * 12)) is False
    chance = random.Random(1)
    assert grows(course(*(200 + chance.uniform(-8, 8) for _ in range(20)))) is False


def test_one_high_note_is_no_growth() -> None:
    mib = [200.0] * 20
    mib[-2] = 400.0
    assert grows(course(*mib)) is False


def test_swings_of_huge_messages_are_no_growth_and_a_leak_below_them_is() -> None:
    swings = [407, 388, 368, 434, 449, 409, 396, 444, 431, 385, 426]
    assert grows(course(*[390.0] * 10, *swings)) is False
    chance = random.Random(3)
    leak_mib = 7_000 * 1_500 / 2**20
    assert grows(course(*(400 + leak_mib * number + chance.uniform(-20, 20) for number in range(21)))) is True


def test_a_leak_of_some_hundred_bytes_a_request_is_growth() -> None:
    leak_mib = 7_000 * 300 / 2**20
    made = course(*(200 + leak_mib * number for number in range(21)))
    verdict = made.verdict()["replicas"]
    assert verdict["grows"] is True
    assert verdict["bytes_per_request"] == pytest.approx(300, rel=0.01)


def test_files_that_are_never_closed_are_growth() -> None:
    assert grows(course(*[200.0] * 20, files=3)) is True


def test_a_process_that_came_in_between_gives_no_verdict() -> None:
    made = course(*[200.0] * 20)
    made.held["replicas"].pop()
    assert grows(made) is None


def test_what_this_process_holds_is_seen() -> None:
    kept = bytearray(os.urandom(64 * 2**20))
    with_it = held_by_kind([psutil.Process()])["rest"]
    del kept
    without = held_by_kind([psutil.Process()])["rest"]
    assert with_it.anonymous_mib - without.anonymous_mib > 50
    assert with_it.files > 0
    assert with_it.threads > 0


def test_requests_stay_within_the_size_a_router_takes_and_repeat_with_the_seed() -> None:
    for message in {*unary_methods().values(), *STREAMS.values()}:
        for seed in range(6):
            assert len(enormous_request(message, random.Random(seed))) < 8 * 2**20
            first, second = (random_request(message, random.Random(seed)) for _ in range(2))
            assert first == second


def test_faults_on_the_wire_are_those_nobody_allows() -> None:
    outcomes = {name: Counter({"OK": 1}) for name in CASES}
    outcomes["content-type json"]["INTERNAL"] = 2
    outcomes["garbage as gzip"]["INTERNAL"] = 2
    outcomes["ping of 3 bytes"]["SILENT"] = 1
    outcomes["no message"]["SILENT"] = 1
    assert faults(outcomes, ("INTERNAL",)) == {
        "content-type json": {"INTERNAL": 2},
        "ping of 3 bytes": {"SILENT": 1},
    }


def test_maps_are_filled() -> None:
    made = [random_message(RecommendResponse, random.Random(seed)) for seed in range(20)]
    arms = {name: arm for message in made for name, arm in message.arms.items()}
    assert len(arms) > 5
    assert len(set(arms.values())) > 1
