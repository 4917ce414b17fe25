"""Exponents of curves, and what of a process's work is measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rich.console import Console

from benchmarks.scale import curves, exponent
from benchmarks.scale_measured import PartsProgress, resident_mib, taken

_LARGE = 2**26
"""Bytes beyond which the allocator gives memory back at once."""


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_its_power(power: float) -> None:
    sizes = [10_000, 100_000, 1_000_000]
    assert exponent(sizes, [7 * size**power for size in sizes]) == pytest.approx(power)


def test_one_point_has_no_exponent() -> None:
    assert math.isnan(exponent([10], [1.0]))
    assert math.isnan(exponent([10, 100], [0.0, 1.0]))


def test_a_curve_has_the_sizes_at_which_its_figure_was_measured() -> None:
    made = curves({1_000: {"a": 1.0, "b": 4.0}, 100: {"a": 1.0, "b": 1.0}, 10: {"a": 1.0}})
    assert list(made["b"]["by_items"]) == ["100", "1000"]
    assert made["b"]["exponent"] == pytest.approx(math.log10(4))
    assert made["a"]["exponent"] == made["a"]["last_exponent"] == 0


def test_the_peak_of_a_part_is_its_own() -> None:
    with taken() as large:
        held = np.ones(_LARGE, np.uint8)
        del held
    with taken() as small:
        pass
    assert large.peak_mib > small.peak_mib + 40
    assert small.peak_mib == pytest.approx(resident_mib(), rel=0.2)


def test_the_stages_of_a_build_are_measured_one_by_one() -> None:
    progress = PartsProgress(Console(quiet=True))
    with progress.step("tables") as step:
        step.stage("recall: hot", 0.0)
        held = np.ones(_LARGE, np.uint8)
        del held
        step.stage("recall: again", 0.5)
        step.stage("recall", 1.0)
    found = progress.parts.found
    assert list(found) == ["tables", "recall: hot", "recall: again"]
    assert found["recall: hot"].peak_mib > found["recall: again"].peak_mib + 40
    assert found["recall: hot"].seconds > 0
