"""What prerank loses: how many of the full ranking's best are left after it has narrowed the candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from evaluation.queries import TestShopper
from evaluation.recall_table import Fuse, ask
from features.history import encode_history
from models.bst import Bst
from models.train_two_tower import kept_share
from models.two_tower import TwoTower
from recall.channel import Channel


def prerank_table(
    shoppers: Sequence[TestShopper],
    channels: Mapping[str, Channel],
    quotas: Mapping[str, float],
    fuse: Fuse,
    bst: Bst,
    prerank: TwoTower,
    *,
    candidates: Sequence[int],
    kept: Sequence[int],
    wanted: int,
) -> dict[str, dict[str, float]]:
    """Row → column → value, a mean over shoppers: the share of BST's `wanted` best that survive.

    The candidates are what the channels give fused by `quotas`, at most as many as each of `candidates`; BST
    scores all of them. Rows: for each number of candidates "prerank" keeps the best by the two-tower model,
    "recall order" the first as fused, what a scene without prerank ranks. Columns: `top<wanted>_in_<k>` for
    each k of `kept`, and `candidates`, how many there were. Numbers kept that are not below the number of
    candidates are left out (NaN).
    """
    names = [name for name in channels if quotas.get(name, 0) > 0]
    shares = np.array([quotas[name] for name in names], dtype=np.float64)
    rows: dict[str, dict[str, float]] = {}
    for total in candidates:
        survived: dict[str, list[list[float]]] = {"recall order": [], "prerank": []}
        counts = []
        answers = asyncio.run(ask(shoppers, {name: channels[name] for name in names}, total))
        for shopper, answer in zip(shoppers, answers, strict=True):
            items = np.asarray(fuse([answer[name] for name in names], shares, total).items)
            counts.append(len(items))
            best = scores_of(bst, shopper, items)[None]
            for row, scores in (
                ("recall order", -np.arange(len(items), dtype=np.float64)),
                ("prerank", scores_of(prerank, shopper, items)),
            ):
                survived[row].append([float(kept_share(scores[None], best, wanted, k)[0]) for k in kept])
        for row, values in survived.items():
            means = np.mean(values, axis=0)
            rows[f"{row} of {total}"] = {
                "candidates": float(np.mean(counts)),
                **{
                    f"top{wanted}_in_{k}": float(mean) if k < total else float("nan")
                    for k, mean in zip(kept, means, strict=True)
                },
            }
    return rows


def scores_of(network: nn.Module, shopper: TestShopper, items: np.ndarray) -> np.ndarray:
    """float32[n]: what a network with BST's inputs answers for one shopper's items int32[n]."""
    query = shopper.query
    history = encode_history(query.history_items, query.history_events, query.history_ts, query.now)
    item = torch.from_numpy(items.astype(np.int32))
    with torch.inference_mode():
        scores: np.ndarray = network(
            *(torch.from_numpy(column)[None] for column in history),
            torch.from_numpy(np.asarray(query.profile_codes, dtype=np.int32))[None],
            torch.from_numpy(query.context_codes)[None],
            item,
            torch.zeros_like(item),
        ).numpy()
    return scores
