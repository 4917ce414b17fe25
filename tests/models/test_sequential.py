"""The sequential network: what a token may see, unknown items; the sequences it learns from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.sequences import sequences_before
from models.sequential_network import Sequential
from models.sequential_settings import SequenceSettings, SequentialNetworkSettings
from models.settings import SampleSettings, TrainingSettings
from models.train_sequential import SequenceFit, train_sequential
from models.training_loop import TrainingError
from snapshot.manifest import Cuts
from tests.models.small_features import ITEMS, item_features, shoppers

SMALL = SequentialNetworkSettings(dimension=16, heads=2, feed_forward=32, shared_negatives=32)


def network(**changed: object) -> Sequential:
    torch.manual_seed(3)
    model = Sequential(SMALL.model_copy(update=changed), item_features()).eval()
    with torch.no_grad():
        model.item_embedding.weight.normal_(std=0.3)
    return model


@settings(max_examples=10, deadline=None)
@given(place=st.integers(0, 18), item=st.integers(1, ITEMS), event=st.integers(1, 5), seed=st.integers(0, 99))
def test_what_is_newer_changes_nothing_of_what_was_said_before(
    place: int, item: int, event: int, seed: int
) -> None:
    model = network()
    items, events, *_ = shoppers([20], seed)
    newer = items.clone(), events.clone()
    newer[0][0, place], newer[1][0, place] = item, event
    with torch.no_grad():
        before, after = model.encode(items, events), model.encode(*newer)
    assert torch.equal(before[0, place + 1 : 20], after[0, place + 1 : 20])
    if item != items[0, place]:
        assert not torch.allclose(before[0, place], after[0, place])


def test_older_behaviours_count_and_padding_does_not() -> None:
    model = network()
    items, events, *_ = shoppers([20])
    with torch.no_grad():
        whole = model(items, events)
        torch.testing.assert_close(model(items[:, :20], events[:, :20]), whole, atol=1e-6, rtol=1e-5)
        assert not torch.allclose(model(items[:, :19], events[:, :19]), whole)


def test_an_unknown_item_is_looked_past_and_an_empty_history_has_no_vector() -> None:
    model = network()
    items, events, *_ = shoppers([0, 3, 3])
    items[1, 0] = ITEMS + 9
    items[2, :] = -4
    with torch.no_grad():
        interests = model(items, events)
        other = items.clone()
        other[1, 0] = -7
        assert torch.equal(model(other, events), interests)
    assert interests.shape == (3, 1, 16)
    assert (interests.abs().sum((1, 2)) > 0).tolist() == [False, True, False]


def test_item_vectors_are_those_the_softmax_compares_with() -> None:
    model = network()
    vectors = model.item_vectors()
    assert vectors.shape == (ITEMS + 1, 16)
    assert (vectors[0] == 0).all()
    with torch.no_grad():
        assert torch.equal(vectors[1:], model.vectors_of(torch.arange(1, ITEMS + 1)))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="multiple of heads"):
        SequentialNetworkSettings(dimension=10, heads=4)


events_of_a_log = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=40
)


def log_of(events: list[tuple[int, int, int]]) -> InteractionLog:
    frame = pl.DataFrame(
        [(user, item, 2, ts) for user, item, ts in events],
        schema={"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64},
        orient="row",
    )
    users = pl.DataFrame({"user": pl.Series([1, 2, 3], dtype=pl.Int32)})
    return InteractionLog.from_frames(frame, users, ITEMS, np.zeros(ITEMS + 1, np.int32))


@settings(max_examples=20, deadline=None)
@given(events=events_of_a_log, until=st.integers(0, 13), horizon=st.integers(0, 4))
def test_targets_are_what_the_same_shopper_took_next(
    events: list[tuple[int, int, int]], until: int, horizon: int
) -> None:
    columns = log_of(events).behaviours
    sequences = sequences_before(columns, until, horizon)
    covered = [
        place for row in range(len(sequences)) for place in range(sequences.start[row], sequences.end[row])
    ]
    before = [place for place in range(len(columns)) if columns.ts[place] < until]
    with_next = [p for p in before if p + 1 in before and columns.user[p + 1] == columns.user[p]]
    assert sorted(covered) == with_next
    for place in with_next:
        allowed = [
            later
            for later in before
            if later > place
            and columns.user[later] == columns.user[place]
            and columns.ts[later] <= columns.ts[place + 1] + horizon
        ]
        assert list(range(place + 1, sequences.reach[place] + 1)) == allowed
        assert sequences.same_moment[place] == (columns.ts[place + 1] == columns.ts[place])
    if len(sequences):
        places = sequences.places(np.arange(len(sequences)))
        drawn = sequences.draw_targets(places, np.random.default_rng(0))
        assert ((drawn > places) == (places >= 0)).all()
        assert (drawn <= np.where(places >= 0, sequences.reach[places], -1)).all()


def test_a_long_history_is_cut_from_its_end() -> None:
    columns = log_of([(2, 1 + at % 9, at) for at in range(120)]).behaviours
    sequences = sequences_before(columns, 1_000, 0)
    assert list(zip(sequences.start, sequences.end, strict=True)) == [(69, 119), (19, 69), (0, 19)]
    batches = sequences.batches(2, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == [0, 1, 2]
    assert {len(batch) for batch in batches} == {1, 2}
    places = sequences.places(np.array([2]))
    assert places.shape == (1, 19)
    assert places[0, 0] == 18


def test_places_within_a_moment_are_left_out_at_zero() -> None:
    log = log_of([(1, 1 + at, at // 3) for at in range(8)])
    fit = SequenceFit(log, 99, network(), SequenceSettings(within_moment=0), SampleSettings(horizon=0))
    targets = fit._targets(fit.sequences.places(np.array([0])), np.random.default_rng(0))[0][::-1]
    assert (targets >= 0).tolist() == [False, False, True, False, False, True, False]
    assert targets[2] in (3, 4, 5)
    assert targets[5] in (6, 7)


def test_takes_that_count_nothing_are_no_targets_and_others_weigh() -> None:
    log = log_of([(1, 1 + at, at) for at in range(6)])
    weights = np.array([1, 1, 0, 3, 0, 1], np.float32)
    weighed = replace(log, behaviours=replace(log.behaviours, weight=weights))
    fit = SequenceFit(weighed, 99, network(), SequenceSettings(), SampleSettings(horizon=0))
    fit._model.eval()
    places = fit.sequences.places(np.array([0]))
    targets = fit._targets(places, np.random.default_rng(0))
    assert sorted(targets[targets >= 0]) == [1, 3, 5]

    def loss(only: np.ndarray) -> float:
        wanted = np.where(np.isin(targets, only), targets, -1)
        return fit._loss(places, wanted, torch.arange(1, 3)).item()

    each = [loss(np.array([target])) for target in (1, 3, 5)]
    assert len(set(each)) == 3
    assert loss(targets) == pytest.approx((each[0] + 3 * each[1] + each[2]) / 5, rel=1e-5)


def test_a_log_without_a_sequence_is_named() -> None:
    with pytest.raises(TrainingError, match="no shopper has two behaviours"):
        SequenceFit(log_of([(1, 1, 1), (2, 1, 1)]), 99, network(), SequenceSettings(), SampleSettings())


@pytest.mark.slow
@pytest.mark.parametrize("full", [100, 0])
def test_one_seed_gives_one_network_which_learns_a_cycle(full: int) -> None:
    """Each of three shoppers takes items in a circle; the next one is certain."""
    log = log_of([(user, 1 + (3 * user + at) % 9, at) for user in (1, 2, 3) for at in range(60)])
    features = ItemFeatures.from_weights(network().state_dict(), item_features().code_counts)
    training = TrainingSettings(
        batch_size=4, max_steps=60, evaluate_every=60, warmup_steps=2, learning_rate=1e-2,
        embedding_learning_rate=1e-2,
    )  # fmt: skip

    def trained(seed: int) -> Sequential:
        return train_sequential(
            log,
            features,
            Cuts(valid_from=50, test_from=60),
            SMALL.model_copy(update={"full_softmax_items": full, "dropout": 0.0}),
            SequenceSettings(),
            SampleSettings(horizon=0),
            training.model_copy(update={"seed": seed}),
        )[0]

    first, again, other = trained(1), trained(1), trained(2)
    weights = [model.state_dict() for model in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["item_embedding.weight"], weights[2]["item_embedding.weight"])
    items = torch.tensor([[5, 4, 3, 2, 1, 9, 8, 7] + [0] * 42])
    with torch.no_grad():
        scores = first(items, torch.where(items > 0, 2, 0))[0, 0] @ first.item_vectors().T
    assert int(scores[1:].argmax()) + 1 == 6
