"""Columns of chosen rows are those of gathering at every step, and are gathered where they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from pipeline.candidates import Candidates, unscored
from pipeline.taken_columns import TakenColumns, taken

ROWS = 6
STEPS = (
    np.array([True, True, False, True, True, True]),
    np.array([4, 0, 2, 1, 3]),
    slice(1, 5),
    np.array([3, 1, 2]),
    np.array([False, True, True]),
)
"""Each chooses among the rows that the one before left."""


class Counted(Mapping[str, np.ndarray]):
    """Columns that note which of them was read."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self.columns, self.read = columns, []

    def __getitem__(self, name: str) -> np.ndarray:
        self.read.append(name)
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def two() -> dict[str, np.ndarray]:
    values = np.arange(ROWS, dtype=np.float32)
    return {"first": values, "second": values / 2}


def candidates(columns: Mapping[str, np.ndarray]) -> Candidates:
    zeros = np.zeros(ROWS, np.float32)
    items = np.arange(1, ROWS + 1, dtype=np.int32)
    return unscored(items, np.ones(ROWS, np.uint32), zeros, items).with_columns(columns)


def test_every_way_to_choose_rows() -> None:
    wanted, found = two(), candidates(two())
    for step in STEPS:
        wanted = {name: column[step] for name, column in wanted.items()}
        found = found.take(step)
        assert list(found.columns) == list(wanted)
        for name, column in wanted.items():
            assert found.columns[name].tolist() == column.tolist()
            assert found.columns[name].dtype == np.float32
        # The column follows the items it was given with.
        assert (found.columns["first"] + 1).tolist() == found.items.tolist()
    assert found.items.tolist() == [4, 2]


def test_a_column_is_gathered_once_and_only_where_it_is_read() -> None:
    columns = Counted(two())
    last = taken(taken(columns, np.array([3, 2, 1])), np.array([2, 0]))
    assert "second" in last
    assert "third" not in last
    assert len(last) == 2
    assert columns.read == []
    assert last["second"].tolist() == [0.5, 1.5]
    assert last["second"] is last["second"]
    assert columns.read == ["second"]
    with pytest.raises(KeyError):
        last["third"]


def test_further_columns_and_rows_join_those_that_were_chosen() -> None:
    chosen = candidates(two()).take(np.array([5, 0]))
    more = chosen.with_columns({"first": np.array([7, 8], np.float32), "third": np.zeros(2, np.float32)})
    assert {name: column.tolist() for name, column in more.columns.items()} == {
        "first": [7, 8],
        "second": [2.5, 0],
        "third": [0, 0],
    }
    joined = chosen.followed_by(candidates({}).take(np.array([2])))
    assert joined.columns["second"][:2].tolist() == [2.5, 0]
    assert np.isnan(joined.columns["second"][2])


def test_a_slice_of_columns_that_were_not_chosen_is_a_view() -> None:
    columns = two()
    head = taken(columns, slice(2))
    assert not isinstance(head, TakenColumns)
    assert np.shares_memory(head["first"], columns["first"])
