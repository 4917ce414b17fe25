import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snapshot import SnapshotError
from snapshot.columns import load_column, rows_between, save_column
from snapshot.item_columns import ITEM_COLUMNS

DTYPES = sorted(
    {*(c.dtype for c in ITEM_COLUMNS.values() if c.kind != "text"), np.dtype(np.uint64), np.dtype(np.uint8)},
    key=str,
)


@given(st.sampled_from(DTYPES).flatmap(lambda dtype: arrays.arrays(dtype, st.integers(0, 200))))
def test_what_is_saved_is_mapped_and_numpy_reads_it_too(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray
) -> None:
    folder = tmp_path_factory.mktemp("columns")
    save_column(folder, "c", values)
    mapped = load_column(folder, "c", values.dtype, len(values))
    np.testing.assert_array_equal(mapped, values)
    np.testing.assert_array_equal(np.load(folder / "c.npy"), values)
    assert type(mapped) is np.ndarray
    assert not mapped.flags.writeable


@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        (np.zeros((2, 2), np.float32), "no one-dimensional"),
        (np.zeros(2, [("a", "i4")]), "no one-dimensional"),
        (np.zeros(3, np.float32), r"float32\[3\] instead of float32\[4\]"),
        (np.zeros(4, np.float64), r"float64\[4\] instead of float32\[4\]"),
        (np.zeros(4, ">f4"), "no one-dimensional"),
    ],
)
def test_other_shapes_types_and_lengths_are_refused(tmp_path: Path, stored: np.ndarray, fault: str) -> None:
    np.save(tmp_path / "c.npy", stored)
    with pytest.raises(SnapshotError, match=fault):
        load_column(tmp_path, "c", np.dtype(np.float32), 4)


@pytest.mark.parametrize("length", [0, 5, 8, 60, 130])
def test_torn_files_are_refused(tmp_path: Path, length: int) -> None:
    save_column(tmp_path, "c", np.arange(4, dtype=np.float32))
    whole = (tmp_path / "c.npy").read_bytes()
    (tmp_path / "c.npy").write_bytes(whole[:length])
    with pytest.raises(SnapshotError, match=r"c\.npy: cannot be mapped"):
        load_column(tmp_path, "c", np.dtype(np.float32))


def test_many_threads_may_open_columns_at_once(tmp_path: Path) -> None:
    save_column(tmp_path, "c", np.arange(4, dtype=np.float32))
    failures: list[BaseException] = []

    def load() -> None:
        try:
            for _ in range(500):
                load_column(tmp_path, "c", np.dtype(np.float32), 4)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@given(
    st.lists(st.integers(0, 50), max_size=40),
    st.integers(0, 51),
    st.integers(0, 51),
    st.sampled_from([np.int32, np.int64, np.uint8]),
)
def test_rows_between_are_those_with_the_values(
    values: list[int], least: int, below: int, kind: type[np.integer]
) -> None:
    column = np.array(sorted(values), kind)
    below = max(least, below)
    expected = [value for value in sorted(values) if least <= value < below]
    assert column[rows_between(column, least, below)].tolist() == expected


def test_rows_are_found_without_a_copy_of_the_column() -> None:
    column = np.arange(1_000_000, dtype=np.int32)
    tracemalloc.start()
    try:
        assert rows_between(column, 500_000, 500_002) == slice(500_000, 500_002)
        assert tracemalloc.get_traced_memory()[1] < column.nbytes / 100
    finally:
        tracemalloc.stop()
