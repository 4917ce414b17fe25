"""The networks of the last layer as they are served and written."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.ranking.logistic.inputs import SHOPPER_COUNT, input_names
from router.ranking.logistic.last_layer import LastLayer
from router.ranking.logistic.networks import NetworkPart, Networks
from router.ranking.logistic.weights import NewcomerPart, Weights, default_weights

NAMES = input_names(())


def networks(count: int, sizes: tuple[int, ...], seed: int, share: float = 0.5) -> Networks:
    random = np.random.default_rng(seed)
    return Networks(
        share,
        tuple(
            (
                random.standard_normal((count, width, units)).astype(np.float32),
                random.standard_normal((count, 1, units)).astype(np.float32),
            )
            for width, units in pairwise(sizes)
        ),
    )


@given(
    count=st.integers(1, 4),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    rows=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_their_mean_is_that_of_each_network_by_itself(
    count: int, sizes: list[int], rows: int, seed: int
) -> None:
    found = networks(count, (*sizes, 1), seed, share=0.75)
    inputs = np.random.default_rng(seed).standard_normal((rows, sizes[0])).astype(np.float32)
    outputs = np.empty((count, rows))
    for number in range(count):
        for row, values in enumerate(inputs.astype(np.float64)):
            for depth, (weights, bias) in enumerate(found.layers):
                values = np.maximum(values, 0) if depth else values
                values = values @ weights[number].astype(np.float64) + bias[number, 0]
            outputs[number, row] = values[0]
    np.testing.assert_allclose(found.log_odds(inputs), 0.75 * outputs.mean(axis=0), rtol=1e-3, atol=1e-3)


@given(count=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_to_the_last_bit(count: int, seed: int) -> None:
    found = networks(count, (4, 3, 1), seed)
    read = Networks.of(NetworkPart.model_validate(json.loads(found.part().model_dump_json())))
    assert read is not None
    assert read.share == found.share
    for before, after in zip(found.layers, read.layers, strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)


def learned(**changed: object) -> Weights:
    """Regressions that say nothing, whose newcomers' part adds 1, and networks that add what they may."""
    width, nothing = len(NAMES), (0.0,) * len(NAMES)
    part = NewcomerPart(events=30, alone=nothing, alone_bias=1.0, with_model=nothing, with_model_bias=1.0)
    zeros = Networks(0.5, ((np.zeros((2, width, 1), np.float32), np.full((2, 1, 1), 4, np.float32)),))
    weights = default_weights((), NAMES)
    return weights.model_copy(
        update={"alone_bias": 0.0, "newcomer": part, "networks": zeros.part(), **changed}
    )


def known(*behaviours: float) -> np.ndarray:
    rows = np.zeros((len(behaviours), len(NAMES)), np.float32)
    rows[:, NAMES.index(SHOPPER_COUNT)] = np.log1p(behaviours)
    return rows


def test_they_add_to_the_regression_alone_and_to_that_beside_a_model() -> None:
    odds, weight = LastLayer.of(learned()).log_odds(known(0, 30, 1e9))
    np.testing.assert_allclose(odds, [[3, 3], [2.5, 2.5], [2, 2]], atol=1e-5)
    np.testing.assert_array_equal(weight, [1, 1, 1])
    without, _ = LastLayer.of(learned(networks=NetworkPart())).log_odds(known(0, 30, 1e9))
    np.testing.assert_allclose(without, [[1, 1], [0.5, 0.5], [0, 0]], atol=1e-5)


def test_where_newcomers_are_not_regarded_they_count_by_what_is_known_of_the_shopper() -> None:
    odds, _ = LastLayer.of(learned()).log_odds(known(0, 30, 1e9), newcomers=False)
    np.testing.assert_allclose(odds, [[0, 0], [1, 1], [2, 2]], atol=1e-5)


LAYERS = networks(2, (3, 2, 1), 1).part().model_dump()["layers"]


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"share": 0.5}, "a share above 0"),
        ({"share": 0.0, "layers": LAYERS}, "a share above 0"),
        ({"share": 0.5, "layers": LAYERS[:1]}, "one output"),
        ({"share": 0.5, "layers": [LAYERS[0], LAYERS[0]]}, "do not follow one another"),
        ({"share": 0.5, "layers": [{**LAYERS[0], "bias": [[1.0]]}, LAYERS[1]]}, "with a bias of shape"),
    ],
)
def test_layers_that_do_not_fit_are_refused(part: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        NetworkPart.model_validate(part)


def test_networks_of_other_inputs_are_refused() -> None:
    with pytest.raises(ValidationError, match=f"networks read 3 of {len(NAMES)} inputs"):
        Weights.model_validate({**learned().model_dump(), "networks": networks(2, (3, 1), 1).part()})
