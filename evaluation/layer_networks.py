"""Trains the networks of the last layer: on what its regression leaves unexplained."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.head_ndcg import head_ndcg
from router.ranking.logistic.networks import NetworkPart, Networks
from router.ranking.logistic.table import NetworkSettings

THIRDS = 3
"""Parts of the shoppers, each of which some networks do not learn from."""
_SHARES = (0.25, 0.5, 0.75, 1.0)
_FIRST_OUTPUT = 0.01
"""Scale of the last layer's first weights: training begins with the regression's log-odds."""


def fit_networks(
    inputs: NDArray[np.float32],
    taken: NDArray[np.bool_],
    log_odds: NDArray[np.floating],
    shopper: NDArray[np.integer],
    third: NDArray[np.integer],
    settings: NetworkSettings,
    seed: int,
    counts: NDArray[np.float32] | None = None,
) -> tuple[NetworkPart, NDArray[np.float32]]:
    """Networks whose mean output is added to the log-odds, and what they add to each candidate.

    Each is trained by the cross entropy of log-odds + output, on two thirds of the shoppers. The share that
    they count, ¼, ½, ¾ or 1, is found by the third that they have not seen (Breiman, "Stacked regressions",
    Machine Learning 1996): of those that predict its takes better than the regression does, by cross entropy,
    the one that orders them best, by NDCG@10.

    Args:
        inputs: float32[n, F], scaled.
        taken: bool[n].
        log_odds: float[n], of the regression.
        shopper: int[n], whose candidate each is.
        third: int[n] in 0…2, the part of the shoppers which this one is of.
        settings: of the training.
        seed: of first weights, batches and dropout.
        counts: float32[n], what each counts as a sample; None: 1 each.

    Returns:
        The networks, none where fewer than `least_taken` are taken or none predicts better; float32[n], of
        each candidate what networks that have not seen its shopper add, 0 without networks.
    """
    nothing = NetworkPart(), np.zeros(len(taken), np.float32)
    if not settings.each_third or taken.sum() < settings.least_taken:
        return nothing
    weights = np.ones(len(taken), np.float32) if counts is None else counts
    networks = _trained(inputs, taken, log_odds.astype(np.float32), third, weights, settings, seed)
    unseen = np.empty(len(taken), np.float32)
    for part in range(THIRDS):
        here = third == part
        unseen[here] = Networks(
            1.0, tuple((weight[part::THIRDS], bias[part::THIRDS]) for weight, bias in networks)
        ).log_odds(inputs[here])
    losses = {share: _log_loss(log_odds + share * unseen, taken, weights) for share in (0.0, *_SHARES)}
    better = [share for share in _SHARES if losses[share] < losses[0.0]]
    if not better:
        return nothing
    heads = {share: head_ndcg(log_odds + share * unseen, taken, shopper).mean() for share in better}
    share = max(better, key=lambda each: (heads[each], -losses[each]))
    return Networks(share, networks).part(), np.float32(share) * unseen


def _log_loss(
    log_odds: NDArray[np.floating], taken: NDArray[np.bool_], weights: NDArray[np.float32]
) -> float:
    return float(np.average(np.logaddexp(0, log_odds) - taken * log_odds, weights=weights))


def _trained(
    inputs: NDArray[np.float32],
    taken: NDArray[np.bool_],
    log_odds: NDArray[np.float32],
    third: NDArray[np.integer],
    weights: NDArray[np.float32],
    settings: NetworkSettings,
    seed: int,
) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]:
    """The layers of 3 · `each_third` networks, of which network i has not seen the third i modulo 3."""
    import torch
    from torch import nn

    random = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    count, sizes = THIRDS * settings.each_third, (inputs.shape[1], *settings.hidden, 1)
    kept = np.flatnonzero(taken | (random.random(len(taken)) < settings.not_taken))
    rows = torch.from_numpy(inputs[kept])
    wanted = torch.from_numpy(taken[kept].astype(np.float32))
    before = torch.from_numpy(log_odds[kept])
    each = weights[kept] * np.where(taken[kept], 1, 1 / settings.not_taken)
    counted = torch.from_numpy((each / each.mean()).astype(np.float32))
    seen = [torch.from_numpy(np.flatnonzero(third[kept] != part)) for part in range(THIRDS)]
    layers: list[tuple[nn.Parameter, nn.Parameter]] = []
    for width, units in itertools.pairwise(sizes):
        scale = (2 / width) ** 0.5 if len(layers) < len(settings.hidden) else _FIRST_OUTPUT
        first = scale * torch.randn(count, width, units, generator=generator)
        layers.append((nn.Parameter(first), nn.Parameter(torch.zeros(count, 1, units))))

    def outputs(values: Any) -> Any:
        for depth, (weight, bias) in enumerate(layers):
            if depth:
                kept_units = torch.rand(values.shape, generator=generator) >= settings.dropout
                values = torch.relu(values) * kept_units / (1 - settings.dropout)
            values = torch.baddbmm(bias, values, weight)
        return values[..., 0]

    groups = [
        {"params": [weight for weight, _ in layers], "weight_decay": settings.weight_decay},
        {"params": [bias for _, bias in layers], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=settings.steps)
    for _ in range(settings.steps):
        drawn = torch.stack(
            [
                seen[number % THIRDS][
                    torch.randint(len(seen[number % THIRDS]), (settings.batch,), generator=generator)
                ]
                for number in range(count)
            ]
        )
        loss = nn.functional.binary_cross_entropy_with_logits(
            outputs(rows[drawn]) + before[drawn], wanted[drawn], weight=counted[drawn]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        cycle.step()
    return tuple((weight.detach().numpy(), bias.detach().numpy()) for weight, bias in layers)
