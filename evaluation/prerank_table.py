"""What prerank loses: how many of the full ranking's best are left after it has narrowed the candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.loaded_models import LoadedModel
from evaluation.queries import TestShopper
from evaluation.recall_table import ask
from evaluation.scene_fusion import FusionOf
from models.train_two_tower import kept_share
from recall.channel import Channel


def prerank_table(
    shoppers: Sequence[TestShopper],
    channels: Mapping[str, Channel],
    quotas: Mapping[str, float],
    fusion_of: FusionOf,
    ranking: LoadedModel,
    prerank: LoadedModel,
    *,
    candidates: Sequence[int],
    kept: Sequence[int],
    wanted: int,
) -> dict[str, dict[str, float]]:
    """Row → column → value: the share of the ranking's `wanted` best that survive, a mean over shoppers.

    The candidates are what the channels give, fused by the fusion of `quotas` (channel → share), at most as
    many as each of `candidates`;
    `ranking` scores all of them. Rows: for each number of candidates "prerank" keeps the best by its model,
    "recall order" the first as fused, what a scene without prerank ranks. Columns: `top<wanted>_in_<k>` for
    each k of `kept`, and `candidates`, how many there were. Numbers kept that are not below the number of
    candidates are left out (NaN).
    """
    fusion = fusion_of(quotas)
    rows: dict[str, dict[str, float]] = {}
    for total in candidates:
        survived: dict[str, list[list[float]]] = {"recall order": [], "prerank": []}
        counts = []
        answers = asyncio.run(ask(shoppers, {name: channels[name] for name in quotas}, total))
        for shopper, answer in zip(shoppers, answers, strict=True):
            items = fusion.fuse([answer[name] for name in quotas], total).items
            counts.append(len(items))
            best = ranking.scores(shopper.query, items)[None]
            for row, scores in (
                ("recall order", -np.arange(len(items), dtype=np.float64)),
                ("prerank", prerank.scores(shopper.query, items)),
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
