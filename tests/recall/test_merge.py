import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recall.merge import first_of_each, merge_by_item, top_positions

entries = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 50), st.integers(1, 6)), max_size=60)


def columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0].astype(np.int32), table[:, 1].astype(np.float32), table[:, 2].astype(np.int32)


@given(entries, st.integers(0, 15), st.sampled_from(["sum", "max"]), st.sampled_from([1, 2**26]))
def test_merging_agrees_with_a_dictionary(rows, k, how, apart):
    # Items of a large catalogue do not share 32 bits with their positions.
    rows = [(item * apart, score, source) for item, score, source in rows]
    scores: dict[int, list[float]] = {}
    cause: dict[int, tuple[float, int]] = {}
    for item, score, source in rows:
        if item == 0:
            continue
        scores.setdefault(item, []).append(score)
        if item not in cause or score > cause[item][0]:
            cause[item] = (score, source)
    merge = sum if how == "sum" else max
    expected = sorted(((-merge(values), item) for item, values in scores.items()))[:k]

    merged = merge_by_item(*columns(rows), k, how)

    assert merged.items.tolist() == [item for _, item in expected]
    assert merged.scores.tolist() == [-score for score, _ in expected]
    assert merged.triggers.tolist() == [cause[item][1] for _, item in expected]


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(0, 50))
def test_top_positions_are_those_of_a_full_sort(scores, k):
    items = np.arange(len(scores), dtype=np.int32)
    top = top_positions(np.array(scores, np.float32), items, k)
    assert top.tolist() == sorted(range(len(scores)), key=lambda at: (-scores[at], at))[:k]


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(0, 12))
def test_first_of_each_keeps_the_order_of_appearance(items, limit):
    first = first_of_each(np.array(items, np.int32), limit)
    assert [items[at] for at in first] == list(dict.fromkeys(items))[:limit]
    assert all(items.index(items[at]) == at for at in first)
