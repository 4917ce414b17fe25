"""What each recall channel is worth: alone, and by what the fusion loses without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.page_metrics import PageFacts, page_looks
from evaluation.queries import TestShopper
from evaluation.recall_table import recalls_any
from evaluation.scene_fusion import FusionOf
from foundation.statistics.bootstrap import grouped_interval
from foundation.statistics.ranking_metrics import hit_rate, ndcg, recall
from recall.channel import Recalled

CUTS = (50, 200)
HEAD = 10
DRAWS = 300
QUALITY = (
    *(f"{prefix}recall@{k}" for prefix in ("", "new_") for k in CUTS),
    f"hr@{HEAD}",
    f"ndcg@{HEAD}",
)
LOOKS = ("coverage", "novelty", "ils", "overlap")
LOSSES = ("share", f"loss_ndcg@{HEAD}", "low", "high", f"loss_recall@{CUTS[1]}", "r_low", "r_high")
FUSED = "fused"
TRIAL_SHARE = 0.05
"""Part of the fusion's shares that a channel without a share is given to tell what it would add."""


@dataclass(frozen=True, slots=True)
class _Gains:
    """By shopper, float64[s]: recall at `CUTS` of all and of new targets (NaN = none), HR and NDCG."""

    columns: Mapping[str, NDArray[np.float64]]

    def means(self) -> dict[str, float]:
        """Means over the shoppers that have something to be found; NaN where none has."""
        return {
            name: float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
            for name, values in self.columns.items()
        }


def channel_table(
    shoppers: Sequence[TestShopper],
    answers: Sequence[Mapping[str, Recalled]],
    shares: Mapping[str, float],
    fusion_of: FusionOf,
    facts: PageFacts,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Row → column → value: one row for each channel of the scene or that recalls anything, and `fused`.

    Columns of quality, means over shoppers: recall of the targets at 50 and 200 items, of all and of those
    never taken before (`new_`), HR and NDCG of the first 10. Of looks, of the first 10: coverage (part of the
    catalogue that any shopper sees), novelty, ils (pairs of one category), overlap (part that another shopper
    sees too), as in `evaluation.page_metrics`. Of a channel in the fusion: its share, and what NDCG@10 and
    recall@200 lose without it, the other shares in their proportions, each with the 95 % bootstrap interval
    of the mean over shoppers. A channel without a share, or not in the scene, is added with `TRIAL_SHARE` of
    the sum: its losses say what the fusion would gain with it. NaN where there is nothing to measure.

    Args:
        shoppers: who is asked.
        answers: shopper → channel → at most 200 items.
        shares: channel → share, in the order of the scene; sum above 0.
        fusion_of: makes the fusion.
        facts: what lists are compared with.
        seed: of the bootstrap.
    """
    total = CUTS[-1]
    names = list(answers[0])

    def fused(by: Mapping[str, float]) -> list[NDArray[np.int32]]:
        fusion = fusion_of(by)
        return [fusion.fuse([answer[name] for name in by], total).items for answer in answers]

    whole = fused(shares)
    whole_gains = _gains(shoppers, whole)
    rows = {}
    for name in names:
        alone = [answer[name].items[:total] for answer in answers]
        if name not in shares and not recalls_any(alone):
            continue
        rows[name] = _gains(shoppers, alone).means() | _looks(shoppers, alone, facts)
        share = shares.get(name, 0.0)
        if share > 0:
            others = {other: part for other, part in shares.items() if other != name}
            if not sum(others.values()):
                rows[name] |= dict.fromkeys(LOSSES, float("nan")) | {"share": share}
                continue
            with_it, without = whole_gains, _gains(shoppers, fused(others))
        else:
            added = {other: part for other, part in shares.items() if other != name}
            added[name] = TRIAL_SHARE * sum(shares.values())
            with_it, without = _gains(shoppers, fused(added)), whole_gains
        rows[name] |= {"share": share} | _losses(with_it, without, seed)
    rows[FUSED] = whole_gains.means() | _looks(shoppers, whole, facts)
    rows[FUSED] |= dict.fromkeys(LOSSES, float("nan"))
    return rows


def channel_notes(
    off: Mapping[str, str], built: Iterable[str], rows: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """What a reader of the tables must know: channels that are off, with the reason, or recalled nothing.

    Args:
        off: channel → why it is switched off.
        built: the others.
        rows: of `channel_table`, where those that recall nothing are missing or cover nothing.
    """
    silent = [name for name in built if name not in rows or not rows[name]["coverage"]]
    return [f"the channel {name} is switched off: {why}" for name, why in off.items()] + [
        f"the channel {name} recalls nothing for what these shoppers do" for name in silent
    ]


def _gains(shoppers: Sequence[TestShopper], lists: Sequence[NDArray[np.int32]]) -> _Gains:
    width = CUTS[-1]
    hits = np.zeros((len(lists), width), np.bool_)
    new_hits = np.zeros_like(hits)
    for row, (shopper, items) in enumerate(zip(shoppers, lists, strict=True)):
        hits[row, : len(items)] = np.isin(items[:width], shopper.targets)
        new_hits[row, : len(items)] = np.isin(items[:width], shopper.new_targets)
    targets = np.array([len(shopper.targets) for shopper in shoppers])
    new = np.array([len(shopper.new_targets) for shopper in shoppers])
    some = new > 0
    columns = {f"recall@{k}": np.asarray(recall(hits, targets, k), np.float64) for k in CUTS}
    for k in CUTS:
        found = np.full(len(lists), np.nan)
        if some.any():
            found[some] = recall(new_hits[some], new[some], k)
        columns[f"new_recall@{k}"] = found
    columns[f"hr@{HEAD}"] = np.asarray(hit_rate(hits, HEAD), np.float64)
    columns[f"ndcg@{HEAD}"] = np.asarray(ndcg(hits, targets, HEAD), np.float64)
    return _Gains(columns)


def _looks(
    shoppers: Sequence[TestShopper], lists: Sequence[NDArray[np.int32]], facts: PageFacts
) -> dict[str, float]:
    heads = [items[:HEAD] for items in lists]
    looks = page_looks(shoppers, heads, facts)
    return {
        "coverage": looks["distinct"] / max(len(facts.category) - 1, 1),
        "novelty": looks["novelty"],
        "ils": looks["same_category"],
        "overlap": looks["overlap"],
    }


def _losses(with_it: _Gains, without: _Gains, seed: int) -> dict[str, float]:
    values = []
    for column in (f"ndcg@{HEAD}", f"recall@{CUTS[1]}"):
        lost = with_it.columns[column] - without.columns[column]
        rng = np.random.default_rng(seed)
        values += [float(lost.mean()), *grouped_interval(lost, np.arange(len(lost)), rng, DRAWS)]
    return dict(zip(LOSSES[1:], values, strict=True))
