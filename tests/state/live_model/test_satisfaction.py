"""The file of the model of satisfaction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from state.live_counters.keys import CatalogueKeys
from state.live_model.satisfaction import (
    NO_VALUES,
    KeyedValues,
    SatisfactionModel,
    read_satisfaction,
    write_satisfaction,
)
from state.live_model.weights import WeightsError

MODEL = SatisfactionModel(
    300,
    0.5,
    KeyedValues(np.array([3, 9], np.uint64), np.array([1.5, -2.0], np.float32)),
    KeyedValues(np.array([5], np.uint64), np.array([0.25], np.float32)),
    NO_VALUES,
)


def keys(items: list[int], categories: list[int]) -> CatalogueKeys:
    return CatalogueKeys(
        np.array(items, np.uint64), np.array(categories, np.uint64), np.zeros(len(items), np.uint64)
    )


def test_a_version_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_satisfaction(tmp_path / "1.satisfaction", MODEL)
    read = read_satisfaction(tmp_path / "1.satisfaction")
    catalogue = keys([0, 3, 4, 9], [0, 5, 5, 0])
    for model in (MODEL, read):
        found = model.log_odds(catalogue, np.array([1, 2, 3, 0], np.int32))
        assert found.tolist() == [1.5, 0.75, -2.0, 0.5]
    assert read.ratings == 300
    assert [path.name for path in tmp_path.iterdir()] == ["1.satisfaction"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_damaged_or_no_number_is_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "1.satisfaction"
    write_satisfaction(path, MODEL)
    content = path.read_bytes()
    for damaged in (b"", content[:-3], content[:-1] + b"?", b"SFRANK1\n" + content[8:], content[:12]):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError):
            read_satisfaction(path)
    broken = KeyedValues(np.array([3], np.uint64), np.array([value], np.float32))
    write_satisfaction(path, SatisfactionModel(1, 0.0, broken, NO_VALUES, NO_VALUES))
    with pytest.raises(WeightsError):
        read_satisfaction(path)
