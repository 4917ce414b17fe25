"""Tiny `bst` and `mind` graphs with the real tensors' names and shapes, and their computation in NumPy.

They need neither torch nor training; the NumPy functions give the answers that a Triton must return.
"""

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

from triton_repo.manifest import ParityRecord, VersionManifest, write_manifest
from triton_repo.repository import ModelRepository

ITEMS = 50
INTERESTS = 2
DIMENSION = 8

_BST = """
<ir_version: 9, opset_import: ["" : 18]>
bst (int32[B, 50] history_item, int32[B, 50] history_event, int32[B, 50] history_age, int32[B, 4] profile,
     int32[B, 3] context, int32[n] candidate_item, int32[n] candidate_row) => (float[n] score)
<int32 first = {0}, int64[1] last = {1}>
{
  is_item = GreaterOrEqual(candidate_item, first)
  not_above = LessOrEqual(candidate_item, largest)
  in_range = And(is_item, not_above)
  item = Where(in_range, candidate_item, first)
  own = Gather(weights, item)
  events = Cast<to=1>(history_event)
  ages = Cast<to=1>(history_age)
  items = Cast<to=1>(history_item)
  profiles = Cast<to=1>(profile)
  contexts = Cast<to=1>(context)
  a = ReduceSum<keepdims=0>(events, last)
  b = ReduceSum<keepdims=0>(ages, last)
  c = ReduceSum<keepdims=0>(items, last)
  d = ReduceSum<keepdims=0>(profiles, last)
  e = ReduceSum<keepdims=0>(contexts, last)
  wa = Mul(a, ka)
  wb = Mul(b, kb)
  wc = Mul(c, kc)
  wd = Mul(d, kd)
  we = Mul(e, ke)
  user = Sum(wa, wb, wc, wd, we)
  mine = Gather(user, candidate_row)
  logit = Add(own, mine)
  score = Sigmoid(logit)
}
"""
_SHARES = {"ka": 0.01, "kb": 0.001, "kc": 0.0002, "kd": 0.05, "ke": 0.02}

_MIND = """
<ir_version: 9, opset_import: ["" : 18]>
mind (int32[B, 50] history_item, int32[B, 50] history_event, int32[B, 50] history_age)
  => (float[B, 2, 8] interests)
<int32 first = {0}, float tiny = {1e-12}, int64[1] tokens = {1}, int64[1] last = {2}>
{
  is_item = GreaterOrEqual(history_item, first)
  not_above = LessOrEqual(history_item, largest)
  in_range = And(is_item, not_above)
  item = Where(in_range, history_item, first)
  token = Gather(vectors, item)
  all = ReduceSum<keepdims=1>(token, tokens)
  events = Cast<to=1>(history_event)
  weight = Unsqueeze(events, last)
  weighed = Mul(token, weight)
  strong = ReduceSum<keepdims=1>(weighed, tokens)
  both = Concat<axis=1>(all, strong)
  norm = ReduceL2<keepdims=1>(both, last)
  safe = Max(norm, tiny)
  interests = Div(both, safe)
}
"""


def item_weights(seed: int) -> np.ndarray:
    """float32[ITEMS + 1], the tiny bst's weight of each item; row 0 is the unknown item's."""
    return np.random.default_rng(seed).normal(size=ITEMS + 1).astype(np.float32)


def item_vectors(seed: int) -> np.ndarray:
    """float32[ITEMS + 1, DIMENSION], the tiny mind's item vectors; row 0 is zero."""
    vectors = np.random.default_rng(seed).normal(size=(ITEMS + 1, DIMENSION)).astype(np.float32)
    vectors[0] = 0
    return vectors


def bst_scores(seed: int, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """float32[n], what the tiny bst of this seed answers."""
    item = np.where(
        (feeds["candidate_item"] >= 0) & (feeds["candidate_item"] <= ITEMS), feeds["candidate_item"], 0
    )
    user = (
        _SHARES["ka"] * feeds["history_event"].sum(1)
        + _SHARES["kb"] * feeds["history_age"].sum(1)
        + _SHARES["kc"] * feeds["history_item"].sum(1)
        + _SHARES["kd"] * feeds["profile"].sum(1)
        + _SHARES["ke"] * feeds["context"].sum(1)
    )
    scores: np.ndarray = 1 / (1 + np.exp(-(item_weights(seed)[item] + user[feeds["candidate_row"]])))
    return scores.astype(np.float32)


def mind_interests(seed: int, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """float32[B, INTERESTS, DIMENSION], what the tiny mind of this seed answers."""
    items = np.where(
        (feeds["history_item"] >= 0) & (feeds["history_item"] <= ITEMS), feeds["history_item"], 0
    )
    tokens = item_vectors(seed)[items]
    both = np.stack([tokens.sum(1), (tokens * feeds["history_event"][..., None]).sum(1)], axis=1)
    interests: np.ndarray = both / np.maximum(np.linalg.norm(both, axis=-1, keepdims=True), 1e-12)
    return interests.astype(np.float32)


def bst_feeds(shoppers: int, candidates: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs of the `bst` contract, ids within the tiny tables."""
    random = np.random.default_rng(seed)
    return {
        **mind_feeds(shoppers, seed),
        "profile": random.integers(0, 3, (shoppers, 4), dtype=np.int32),
        "context": random.integers(0, 5, (shoppers, 3), dtype=np.int32),
        "candidate_item": random.integers(1, ITEMS + 1, candidates, dtype=np.int32),
        "candidate_row": random.integers(0, shoppers, candidates, dtype=np.int32),
    }


def mind_feeds(shoppers: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs of the `mind` contract, ids within the tiny tables."""
    random = np.random.default_rng(seed)
    return {
        "history_item": random.integers(1, ITEMS + 1, (shoppers, 50), dtype=np.int32),
        "history_event": random.integers(1, 6, (shoppers, 50), dtype=np.int32),
        "history_age": random.integers(1, 25, (shoppers, 50), dtype=np.int32),
    }


def add_tiny_version(repository: ModelRepository, model: str, seed: int) -> int:
    """Adds a version of the tiny `bst` or `mind` whose answers depend on `seed`; returns its number."""
    return repository.add_version(model, stage_tiny_version(repository, model, seed))


def stage_tiny_version(repository: ModelRepository, model: str, seed: int) -> Path:
    """Writes a version of the tiny `bst` or `mind` into a staged folder and returns the folder.

    A model of another name, such as `prerank`, has the graph of `bst`.
    """
    graph = onnx.parser.parse_model(_MIND if model == "mind" else _BST)
    if model != "mind":
        tables = {"weights": item_weights(seed), **{k: np.float32(v) for k, v in _SHARES.items()}}
    else:
        tables = {"vectors": item_vectors(seed)}
    tables["largest"] = np.int32(ITEMS)
    graph.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(values), name) for name, values in tables.items()
    )
    staged = repository.stage(model)
    onnx.save(graph, staged / "model.onnx")
    write_manifest(
        staged,
        VersionManifest(
            model=model,
            format="onnx",
            created_at="2026-01-01T00:00:00Z",
            checkpoint=f"tiny-{seed}",
            checkpoint_sha256="0" * 64,
            dataset="tiny",
            items=ITEMS,
            parity=ParityRecord(max_abs=0.0, mean_abs=0.0, samples=0, tolerance=1e-4),
        ),
    )
    return staged
