"""The embedded server scores each shopper of a call as in a call of its own, to the byte."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import triton_repo
from models.contracts import contracts
from triton_repo.configuration import config_text, parsed

_FILE = Path(triton_repo.__file__).parent / "backends" / "onnxruntime" / "shoppers_apart.py"
_spec = importlib.util.spec_from_file_location("shoppers_apart", _FILE)
assert _spec is not None
assert _spec.loader is not None
shoppers_apart = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shoppers_apart)

_OF_CANDIDATES = ("candidate", "row")
# As dynamic INT8 does: numbers are quantised by the range that they have in the call.
_GRAPH = """
<ir_version: 8, opset_import: ["": 18]>
g (float[B, 4] shopper, float[n, 4] candidate, int32[n] row) => (float[n] score) {
  own = Gather(shopper, row)
  both = Mul(own, candidate)
  numbers, step, zero = DynamicQuantizeLinear(both)
  sums = MatMulInteger(numbers, weights, zero)
  floats = Cast<to = 1>(sums)
  scaled = Mul(floats, step)
  score = Squeeze(scaled, last)
}
"""


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    graph = onnx.parser.parse_model(_GRAPH)
    weights = np.random.default_rng(1).integers(-100, 100, (4, 1)).astype(np.int8)
    graph.graph.initializer.extend(
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1]), "last")]
    )
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def feeds_of(counts: list[int], seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    sizes = 10.0 ** np.arange(len(counts))[:, None]
    return {
        "shopper": (sizes * random.normal(size=(len(counts), 4))).astype(np.float32),
        "candidate": random.normal(size=(sum(counts), 4)).astype(np.float32),
        "row": np.repeat(np.arange(len(counts), dtype=np.int32), counts),
    }


def apart(session: onnxruntime.InferenceSession, feeds: dict[str, np.ndarray]) -> np.ndarray:
    (scores,) = shoppers_apart.run_apart(
        lambda given: session.run(["score"], dict(given)), feeds, "row", _OF_CANDIDATES
    )
    return np.asarray(scores)


def test_scores_are_those_of_a_call_alone(session: onnxruntime.InferenceSession) -> None:
    counts = [300, 1, 37]
    feeds = feeds_of(counts)
    together = apart(session, feeds)
    whole = session.run(["score"], feeds)[0]
    ends = np.cumsum(counts)
    for shopper, (begin, end) in enumerate(zip(ends - counts, ends, strict=True)):
        alone = {
            "shopper": feeds["shopper"][[shopper]],
            "candidate": feeds["candidate"][begin:end],
            "row": np.zeros(end - begin, np.int32),
        }
        np.testing.assert_array_equal(together[begin:end], session.run(["score"], alone)[0])
    # What it is for: as one, they are not.
    assert np.abs(whole[:300] - together[:300]).max() > 0


@pytest.mark.parametrize("rows", [[0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 2, 2], []])
def test_candidates_that_do_not_stand_by_shopper_run_as_one(
    session: onnxruntime.InferenceSession, rows: list[int]
) -> None:
    feeds = feeds_of([1, 1, 1]) | {"row": np.array(rows, np.int32)}
    feeds["candidate"] = feeds["candidate"][: len(rows)]
    np.testing.assert_array_equal(apart(session, feeds), session.run(["score"], feeds)[0])


def test_the_configuration_of_a_model_that_scores_candidates_names_them() -> None:
    of = {name: parsed(config_text(contract)).parameters for name, contract in contracts().items()}
    assert of["bst"]["rows_input"].string_value == "candidate_row"
    assert of["bst"]["inputs_of_candidates"].string_value == "candidate_item,candidate_row"
    assert "rows_input" not in of["mind"]
