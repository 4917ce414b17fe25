"""A forest of regression trees as arrays: grown by scikit-learn, scored by torch and by ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from models.ranker_inputs import INPUTS, SCORE
from models.rankers.examples import Examples, Float32, LearningRanges
from models.rankers.settings import ForestNetworkSettings
from models.training_loop import TrainingError

OPSETS = {"": 18, "ai.onnx.ml": 3}
EDGE = 0.001
"""How far a score is from 0 and 1 at least: the last layer adds up log-odds."""


class Forest(nn.Module):
    """t trees with m nodes in all; the score is the mean of the leaves that a candidate reaches.

    roots      int64[t], ascending
    feature    int64[m], the input that a node looks at
    threshold  float32[m]: a candidate whose input is not above it goes left
    left, right  int64[m], the next node; a leaf is its own
    value      float32[m], mean grade of the examples of a leaf, 0…1
    depth      int64[1], most steps to a leaf
    """

    roots: Tensor
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    depth: Tensor

    def __init__(self, trees: int, nodes: int) -> None:
        """Trees of zeros, to be loaded."""
        super().__init__()
        for name in ("feature", "left", "right"):
            self.register_buffer(name, torch.zeros(nodes, dtype=torch.int64))
        for name in ("threshold", "value"):
            self.register_buffer(name, torch.zeros(nodes))
        self.register_buffer("roots", torch.zeros(trees, dtype=torch.int64))
        self.register_buffer("depth", torch.zeros(1, dtype=torch.int64))

    @classmethod
    def of(cls, estimators: Any) -> Forest:
        """Of scikit-learn's fitted regression trees, with the same answer for every float32 input."""
        trees = [estimator.tree_ for estimator in estimators]
        sizes = np.array([tree.node_count for tree in trees])
        roots = np.cumsum(sizes) - sizes
        forest = cls(len(trees), int(sizes.sum()))
        for root, tree in zip(roots.tolist(), trees, strict=True):
            here = slice(root, root + tree.node_count)
            own = np.arange(tree.node_count)
            leaf = tree.children_left < 0
            columns = {
                "feature": np.where(leaf, 0, tree.feature),
                "threshold": np.where(leaf, 0, _not_above(tree.threshold)),
                "left": root + np.where(leaf, own, tree.children_left),
                "right": root + np.where(leaf, own, tree.children_right),
                "value": tree.value[:, 0, 0],
            }
            for name, column in columns.items():
                target = getattr(forest, name)
                target[here] = torch.from_numpy(np.asarray(column)).to(target.dtype)
        forest.roots.copy_(torch.from_numpy(roots))
        forest.depth[0] = max(tree.max_depth for tree in trees)
        return forest

    def forward(self, ranker_inputs: Tensor) -> Tensor:
        """float32[n] of inputs float32[n, F]: the mean of the trees, within `EDGE`…1 − `EDGE`."""
        node = self.roots.expand(len(ranker_inputs), -1)
        for _ in range(int(self.depth)):
            below = ranker_inputs.gather(1, self.feature[node]) <= self.threshold[node]
            node = torch.where(below, self.left[node], self.right[node])
        return EDGE + (1 - 2 * EDGE) * self.value[node].mean(dim=1)

    def scores(self, examples: Examples) -> NDArray[np.float64]:
        """float64[n] of examples."""
        with torch.inference_mode():
            return np.asarray(self(torch.from_numpy(examples.inputs)).numpy(), np.float64)

    def onnx_graph(self) -> onnx.ModelProto:
        """One operator for all trees: in steps of torch's own operators they take many times as long."""
        columns = {name: value.numpy() for name, value in self.named_buffers()}
        roots, left, right = columns["roots"], columns["left"], columns["right"]
        nodes = np.arange(left.size)
        tree = np.searchsorted(roots, nodes, side="right") - 1
        within, leaf = nodes - roots[tree], left == nodes
        trees = helper.make_node(
            "TreeEnsembleRegressor",
            [INPUTS.name],
            ["means"],
            domain="ai.onnx.ml",
            n_targets=1,
            aggregate_function="AVERAGE",
            post_transform="NONE",
            nodes_treeids=tree.tolist(),
            nodes_nodeids=within.tolist(),
            nodes_featureids=columns["feature"].tolist(),
            nodes_values=columns["threshold"].tolist(),
            nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
            nodes_truenodeids=np.where(leaf, 0, left - roots[tree]).tolist(),
            nodes_falsenodeids=np.where(leaf, 0, right - roots[tree]).tolist(),
            target_treeids=tree[leaf].tolist(),
            target_nodeids=within[leaf].tolist(),
            target_ids=[0] * int(leaf.sum()),
            target_weights=columns["value"][leaf].tolist(),
        )
        constants = {
            "row": np.array([-1], np.int64),
            "part": np.float32(1 - 2 * EDGE),
            "edge": np.float32(EDGE),
        }
        graph = helper.make_graph(
            [
                trees,
                helper.make_node("Reshape", ["means", "row"], ["mean"]),
                helper.make_node("Mul", ["mean", "part"], ["drawn"]),
                helper.make_node("Add", ["drawn", "edge"], [SCORE.name]),
            ],
            "forest",
            [helper.make_tensor_value_info(INPUTS.name, TensorProto.FLOAT, list(INPUTS.shape))],
            [helper.make_tensor_value_info(SCORE.name, TensorProto.FLOAT, list(SCORE.shape))],
            [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def fit_forest(
    ranges: LearningRanges, settings: ForestNetworkSettings, seed: int, weights: Float32 | None = None
) -> Forest:
    """Regression of the grade, as a part of the best one; `weights` float32[n] of the training examples.

    Raises TrainingError where scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError as error:
        raise TrainingError(
            "the model forest is grown by scikit-learn, which is not installed; install the extra `rankers`"
        ) from error
    grades = ranges.train.grades / max(int(ranges.train.grades.max()), 1)
    fitted = RandomForestRegressor(
        settings.trees,
        min_samples_leaf=settings.least_leaf,
        max_features=settings.inputs_share,
        max_samples=settings.examples_share,
        n_jobs=1,
        random_state=seed,
    ).fit(ranges.train.inputs, grades, weights)
    return Forest.of(fitted.estimators_)


def _not_above(thresholds: NDArray[np.float64]) -> Float32:
    """The largest float32 not above each: by it float32 inputs go the same way as by the float64."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)
