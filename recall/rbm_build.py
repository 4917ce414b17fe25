"""Rbm's offline side: contrastive divergence of one step (Hinton, Neural Computation 14, 2002)."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from recall.rbm_settings import RbmSettings
from snapshot.event_codes import EVENT_STRENGTH

Float32 = NDArray[np.float32]


def trained(
    events: pl.DataFrame, items: NDArray[np.int32], settings: RbmSettings, seed: int
) -> tuple[NDArray[np.uint8], Float32, Float32, Float32]:
    """States uint8[K] (event codes, the weakest first), W float32[m, K, F], b float32[m, K], c float32[F].

    `events`: behaviours; of each shopper and item the strongest counts, of the latest `items_per_user` items.
    `items`: int32[m], ascending. The same events, settings and seed give the same machine.
    """
    user, item, state, states = _visible(events, items, settings, seed)
    users = int(user[-1]) + 1
    starts = np.searchsorted(user, np.arange(users + 1))
    random = torch.Generator().manual_seed(seed)
    draws = np.random.default_rng(seed)
    shape = len(items), len(states)
    weights = torch.randn(*shape, settings.hidden, generator=random) * 0.01
    taken = np.zeros(shape)
    np.add.at(taken, (item, state), 1)
    # With nothing hidden, a state is as likely as it was; log-odds are against not taken.
    bias = torch.from_numpy(np.log((taken + 0.1) / (users - taken.sum(axis=1, keepdims=True) + 1.0))).float()
    hidden = torch.zeros(settings.hidden)
    moving = [torch.zeros_like(each) for each in (weights, bias, hidden)]
    for _ in range(settings.epochs):
        order = draws.permutation(users)
        for start in range(0, users, settings.batch_users):
            chosen = order[start : start + settings.batch_users]
            seen = torch.zeros(len(chosen), *shape)
            for row, shopper in enumerate(chosen.tolist()):
                own = slice(starts[shopper], starts[shopper + 1])
                seen[row, torch.from_numpy(item[own]), torch.from_numpy(state[own])] = 1.0
            up = torch.sigmoid(hidden + torch.einsum("bik,ikf->bf", seen, weights))
            drawn = torch.bernoulli(up, generator=random)
            energy = bias + torch.einsum("bf,ikf->bik", drawn, weights)
            # The state 0 has the energy 0.
            again = torch.softmax(torch.nn.functional.pad(energy, (1, 0)), dim=2)[:, :, 1:]
            up_again = torch.sigmoid(hidden + torch.einsum("bik,ikf->bf", again, weights))
            steps = (
                torch.einsum("bik,bf->ikf", seen, up) - torch.einsum("bik,bf->ikf", again, up_again),
                (seen - again).sum(dim=0),
                (up - up_again).sum(dim=0),
            )
            for parameter, velocity, step in zip((weights, bias, hidden), moving, steps, strict=True):
                velocity.mul_(settings.momentum).add_(step, alpha=settings.learning_rate / len(chosen))
                parameter.add_(velocity)
            weights.mul_(1 - settings.decay)
    return states, weights.numpy(), bias.numpy(), hidden.numpy()


def _visible(
    events: pl.DataFrame, items: NDArray[np.int32], settings: RbmSettings, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """int64[n] each: user 0…u − 1, ascending, place among `items`, place among the states; and these."""
    strength = pl.col("event").replace_strict(range(256), EVENT_STRENGTH.tolist(), return_dtype=pl.Float32)
    pairs = (
        events.filter(pl.col("item").is_in(items.tolist()))
        .group_by("user", "item")
        .agg(pl.col("event").sort_by(strength).last(), pl.col("ts").max())
        .sort("user", "ts", "item", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("user") < settings.items_per_user)
    )
    user, numbered = np.unique(pairs["user"].to_numpy(), return_inverse=True)
    kept = np.random.default_rng(seed).permutation(len(user))[: settings.max_users]
    of_kept = np.isin(numbered, kept)
    _, number = np.unique(numbered[of_kept], return_inverse=True)
    states = np.unique(pairs["event"].to_numpy()).astype(np.uint8)
    states = states[np.argsort(EVENT_STRENGTH[states], kind="stable")]
    place = np.zeros(256, np.int64)
    place[states] = np.arange(len(states))
    state = place[pairs["event"].to_numpy()[of_kept]]
    item = np.searchsorted(items, pairs["item"].to_numpy()[of_kept])
    return number.astype(np.int64), item.astype(np.int64), state, states
