import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recall.growing_lists import GrowingLists
from recall.lists import ItemLists, ranked_lists, united
from snapshot import SnapshotError

ROWS = 5
pairs = st.dictionaries(st.tuples(st.integers(0, ROWS - 1), st.integers(1, 9)), st.integers(0, 5))


def lists_of(entries: dict[tuple[int, int], int], limit: int = 100) -> ItemLists:
    keys = np.array(list(entries), np.int64).reshape(-1, 2)
    return ranked_lists(keys[:, 0], keys[:, 1], np.array(list(entries.values()), np.float64), ROWS, limit)


@given(pairs, st.integers(1, 4))
def test_each_row_holds_its_best_entries_best_first(entries, limit):
    lists = lists_of(entries, limit)
    for row in range(ROWS):
        ranked = sorted((-score, item) for (at, item), score in entries.items() if at == row)[:limit]
        items, scores, _ = lists.gather(np.array([row]))
        assert list(zip((-scores).tolist(), items.tolist(), strict=True)) == ranked


@given(pairs, pairs, st.integers(1, 4))
def test_united_lists_hold_the_best_of_both_and_nothing_twice(one, other, limit):
    both = {pair: max(one.get(pair, 0), other.get(pair, 0)) for pair in one | other}
    found, expected = united(lists_of(one), lists_of(other), limit), lists_of(both, limit)
    for mine, theirs in zip(
        (found.offsets, found.items, found.scores),
        (expected.offsets, expected.items, expected.scores),
        strict=True,
    ):
        assert mine.tolist() == theirs.tolist()


@settings(max_examples=25)
@given(st.lists(pairs, max_size=4))
def test_lists_that_grew_block_by_block_are_those_of_all_rows_at_once(parts):
    whole = [
        (row + at * ROWS, item, score) for at, part in enumerate(parts) for (row, item), score in part.items()
    ]
    rows, items, scores = np.array(whole, np.int64).reshape(-1, 3).T
    expected = ranked_lists(rows, items, scores, ROWS * len(parts), 100)
    growing = GrowingLists()
    for part in parts:
        growing.add(lists_of(part))
    found = growing.lists()
    later = ItemLists.of_columns(found.columns())
    assert found.offsets.tolist() == expected.offsets.tolist() == later.offsets.tolist()[1:]
    for lists in (found, later):
        assert lists.items.tolist() == expected.items.tolist()
        assert lists.scores.tolist() == expected.scores.tolist()
        assert (lists.items.dtype, lists.scores.dtype) == (np.int32, np.float32)


@given(pairs, st.lists(st.integers(0, ROWS - 1), max_size=8), st.none() | st.integers(0, 3))
def test_gathering_is_slicing_row_by_row(entries, rows, limit):
    lists = lists_of(entries)
    items, scores, source = lists.gather(np.array(rows, np.int32), limit)
    expected = [
        (item, score, at)
        for at, row in enumerate(rows)
        for item, score in list(
            zip(
                lists.items[lists.offsets[row] : lists.offsets[row + 1]].tolist(),
                lists.scores[lists.offsets[row] : lists.offsets[row + 1]].tolist(),
                strict=True,
            )
        )[:limit]
    ]
    assert list(zip(items.tolist(), scores.tolist(), source.tolist(), strict=True)) == expected


@pytest.mark.parametrize("entries", [{}, {(0, 3): 2, (4, 1): 1, (0, 2): 5}])
def test_written_lists_are_opened_as_they_were(tmp_path, entries):
    lists = lists_of(entries)
    assert lists.write(tmp_path, "neighbours") == len(entries)
    opened = ItemLists.open(tmp_path, "neighbours", ROWS)
    for name in ("offsets", "items", "scores"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(lists, name))
        assert not getattr(opened, name).flags.writeable


def test_lists_of_another_catalogue_are_refused(tmp_path):
    lists_of({(0, 3): 2}).write(tmp_path, "neighbours")
    with pytest.raises(SnapshotError, match="neighbours_offsets"):
        ItemLists.open(tmp_path, "neighbours", ROWS + 1)


def test_a_torn_file_is_refused_by_name(tmp_path):
    lists_of({(0, 3): 2, (0, 4): 1}).write(tmp_path, "neighbours")
    scores = tmp_path / "neighbours_scores.npy"
    scores.write_bytes(scores.read_bytes()[:-4])
    with pytest.raises(SnapshotError, match="neighbours_scores"):
        ItemLists.open(tmp_path, "neighbours", ROWS)


def test_offsets_that_fall_are_refused(tmp_path):
    lists_of({(0, 3): 2, (0, 4): 1}).write(tmp_path, "neighbours")
    np.save(tmp_path / "neighbours_offsets.npy", np.array([0, 2, 1, 2, 2, 2]))
    with pytest.raises(SnapshotError, match="rise"):
        ItemLists.open(tmp_path, "neighbours", ROWS)
