import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recall.pair_blocks import UserEvents, pair_sums, pairs_by_trigger, trigger_blocks, values_at

ITEMS = 8
logs = st.lists(st.tuples(st.integers(1, 4), st.integers(1, ITEMS), st.integers(0, 50)), max_size=30)


def events_of(log: list[tuple[int, int, int]]) -> UserEvents:
    table = np.array(sorted(log), np.int64).reshape(-1, 3)
    return UserEvents(table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2])


@given(logs, logs, st.integers(1, 200))
def test_sums_are_those_of_every_pair_whatever_the_block(trigger_log, target_log, pairs_per_block):
    triggers, targets = events_of(trigger_log), events_of(target_log)

    def later(trigger: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.maximum(targets.ts[target] - triggers.ts[trigger], 0).astype(np.float32)

    expected = np.zeros((ITEMS + 1, ITEMS + 1), np.float32)
    for user, i, t in trigger_log:
        for other, j, s in target_log:
            if user == other and i != j:
                expected[i, j] += max(s - t, 0)

    pairs = pairs_by_trigger(triggers, targets, ITEMS)
    blocks = list(trigger_blocks(pairs, pairs_per_block, (1, ITEMS + 1)))
    assert [start for start, _ in blocks] == [1, *(stop for _, stop in blocks[:-1])]
    assert blocks[-1][1] == ITEMS + 1
    for start, stop in blocks:
        sums = pair_sums(triggers, targets, ITEMS, (start, stop), later)
        np.testing.assert_array_equal(sums.toarray(), expected[start:stop])
        assert (sums.data != 0).all()
        rows, columns = np.indices(sums.shape).reshape(2, -1)
        np.testing.assert_array_equal(values_at(sums, rows, columns), expected[start:stop].ravel())


@given(logs, st.integers(1, 200))
def test_a_block_of_several_items_stays_within_its_pairs(log, pairs_per_block):
    events = events_of(log)
    met = pairs_by_trigger(events, events, ITEMS)
    for start, stop in trigger_blocks(met, pairs_per_block, (1, ITEMS + 1)):
        assert stop - start == 1 or met[start:stop].sum() <= pairs_per_block
