"""Looks: features, and colours beside them where a space has any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from testing.picture_shop import draw
from vision.colours import COLOURS, colours_of
from vision.fit_space import fit_space
from vision.look import knows_colours, make_looks, of_unweighted_looks
from vision.same_picture import small_copy

FEATURES = 16


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    features = np.random.default_rng(0).standard_normal((12, FEATURES)).astype(np.float32)
    return features, np.stack([small_copy(draw(seed % 6, seed)) for seed in range(12)])


def test_colours_follow_the_features_by_their_weight(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    features, copies = pictures
    looks = make_looks(features, copies, COLOURS, 0.25)
    assert (looks.dtype, looks.shape) == (np.float32, (12, FEATURES + COLOURS))
    np.testing.assert_array_equal(looks[:, :FEATURES], features)
    np.testing.assert_array_equal(looks[:, FEATURES:], 0.25 * colours_of(copies))
    assert make_looks(features, copies, 0) is features


def test_a_space_fitted_to_weighted_looks_compares_plain_ones(
    pictures: tuple[np.ndarray, np.ndarray],
) -> None:
    fitted = fit_space(make_looks(*pictures, COLOURS, 0.25), 8, 0)
    space = of_unweighted_looks(fitted, FEATURES, 0.25)
    assert (space.features, space.colours, space.dimensions) == (FEATURES, COLOURS, 8)
    np.testing.assert_allclose(
        space.project(make_looks(*pictures, COLOURS)),
        fitted.project(make_looks(*pictures, COLOURS, 0.25)),
        atol=1e-5,
    )
    alone = fit_space(pictures[0], 8, 0)
    plain = of_unweighted_looks(alone, FEATURES, 0.0)
    assert (plain.features, plain.colours) == (FEATURES, 0)
    np.testing.assert_array_equal(plain.matrix, alone.matrix)


def test_colours_of_another_number_are_not_known(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    space = fit_space(make_looks(*pictures, COLOURS), 8, 0)
    assert knows_colours(space)
    assert knows_colours(replace(space, colours=COLOURS))
    assert not knows_colours(replace(space, colours=64))
