"""A forest's three forms answer the same: scikit-learn's, torch's, and ONNX Runtime's."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rankers.forest import EDGE, Forest
from models.rankers.settings import ForestNetworkSettings
from tests.evaluation.rankers.planted import INPUTS, ranges

pytestmark = pytest.mark.slow


def session_of(forest: Forest) -> onnxruntime.InferenceSession:
    """ONNX Runtime over the forest's graph, for as many inputs as the planted examples have."""
    graph = forest.onnx_graph()
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = INPUTS
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 30), st.integers(1, 60))
def test_every_form_of_a_forest_answers_as_the_library_does(
    seed: int, trees: int, least_leaf: int, count: int
) -> None:
    from sklearn.ensemble import RandomForestRegressor

    random, train = np.random.default_rng(seed), ranges().train
    # Few distinct values, so that candidates lie on thresholds.
    inputs = np.round(train.inputs, 1)
    library = RandomForestRegressor(trees, min_samples_leaf=least_leaf, random_state=seed % 1_000, n_jobs=1)
    library.fit(inputs, train.grades / train.grades.max())
    forest = Forest.of(library.estimators_)
    thresholds = np.concatenate([each.tree_.threshold for each in library.estimators_])
    rows = random.choice(np.concatenate((inputs.ravel(), thresholds.astype(np.float32))), (count, INPUTS))
    expected = EDGE + (1 - 2 * EDGE) * library.predict(rows)
    (found,) = session_of(forest).run(None, {"ranker_inputs": rows})
    np.testing.assert_allclose(found, expected, atol=2e-6)
    import torch

    np.testing.assert_allclose(forest(torch.from_numpy(rows)).numpy(), expected, atol=2e-6)
    restored = Forest(trees, len(forest.feature))
    restored.load_state_dict(forest.state_dict())
    assert torch.equal(restored(torch.from_numpy(rows)), forest(torch.from_numpy(rows)))


def test_its_settings_reach_the_trees() -> None:
    from models.rankers.forest import fit_forest

    coarse = fit_forest(ranges(), ForestNetworkSettings(trees=3, least_leaf=200), 1)
    fine = fit_forest(ranges(), ForestNetworkSettings(trees=5, least_leaf=5), 1)
    assert (len(coarse.roots), len(fine.roots)) == (3, 5)
    assert len(coarse.feature) < len(fine.feature)
    assert int(coarse.depth) < int(fine.depth)
