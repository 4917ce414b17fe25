"""The columns of a log do not depend on whether it is read at once or part by part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.interaction_log import EventColumns, InteractionLog
from snapshot import log_parts
from snapshot.dataset import Dataset
from testing.synthetic_shop import synthetic_dataset


def columns(events: EventColumns) -> dict[str, np.ndarray]:
    return {**events.columns(), "keys": events.keys}


@pytest.mark.parametrize("weighed", [False, True])
def test_a_long_log_made_part_by_part_is_that_of_one_part(
    weighed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset: Dataset = synthetic_dataset(tmp_path, users=40, items=60, events=2_000)
    rows = dataset.events().collect().height
    weights = np.linspace(0, 1, rows) if weighed else None
    whole = InteractionLog.from_dataset(dataset, weights=weights)
    monkeypatch.setattr(log_parts, "ROWS_AT_ONCE", 150)
    parted = InteractionLog.from_dataset(dataset, weights=weights)
    assert isinstance(parted.behaviours.ts.base, np.memmap)
    assert len(whole.behaviours)
    for kind in ("behaviours", "impressions"):
        one, other = columns(getattr(whole, kind)), columns(getattr(parted, kind))
        assert one.keys() == other.keys()
        assert ("weight" in one) is weighed
        for name, values in one.items():
            assert values.dtype == other[name].dtype, name
            assert np.array_equal(values, other[name]), name
