"""Svd's offline side: q, y and b by Adam over the behaviour scores and as many drawn zeros as are wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from recall.svd_settings import SvdSettings

Float32 = NDArray[np.float32]


def trained(scores: sp.csr_matrix, settings: SvdSettings, seed: int) -> tuple[Float32, Float32, Float32]:
    """Q and y float32[m, D] and b float32[m] of behaviour scores float32[users, m].

    y is 0 where the form is SVD. The same scores, settings and seed give the same factors.
    """
    users, items = scores.shape
    random, draws = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    highest = float(scores.data.max())

    def table(rows: int, columns: int) -> torch.Tensor:
        made = torch.randn(rows, columns, generator=random) * 0.1
        return made.requires_grad_()

    q, p = table(items, settings.factors), table(users, settings.factors)
    y = table(items, settings.factors)
    biases = [torch.zeros(length, requires_grad=True) for length in (1, users, items)]
    factors = [q, p, y] if settings.implicit_items else [q, p]
    groups: list[dict[str, Any]] = [
        {"params": factors, "weight_decay": settings.regularisation},
        {"params": biases},
    ]
    adam = torch.optim.Adam(groups, lr=settings.learning_rate)
    overall, of_user, of_item = biases
    for _ in range(settings.epochs):
        order = draws.permutation(users)
        for start in range(0, users, settings.batch_users):
            chosen = order[start : start + settings.batch_users]
            rows = scores[chosen]
            lengths = np.diff(rows.indptr)
            owner = np.repeat(np.arange(len(chosen)), lengths)
            drawn = draws.integers(0, items, (rows.nnz, settings.negatives))
            user = torch.from_numpy(np.r_[owner, np.repeat(owner, settings.negatives)])
            item = torch.from_numpy(np.r_[rows.indices.astype(np.int64), drawn.ravel()])
            # A drawn item that the shopper took has its own score.
            wanted = np.r_[rows.data, np.asarray(rows[user.numpy()[rows.nnz :], drawn.ravel()]).ravel()]
            shopper = p[torch.from_numpy(chosen)]
            if settings.implicit_items:
                together = torch.zeros(len(chosen), settings.factors).index_add(
                    0, torch.from_numpy(owner), y[torch.from_numpy(rows.indices.astype(np.int64))]
                )
                root = torch.from_numpy(np.sqrt(np.maximum(lengths, 1)).astype(np.float32))
                shopper = shopper + together / root[:, None]
            predicted = (
                overall
                + of_user[torch.from_numpy(chosen)][user]
                + of_item[item]
                + (q[item] * shopper[user]).sum(dim=1)
            )
            loss = torch.mean((predicted - torch.from_numpy((wanted / highest).astype(np.float32))) ** 2)
            adam.zero_grad()
            loss.backward()
            adam.step()
    taken = y if settings.implicit_items else torch.zeros_like(y)
    return q.detach().numpy(), taken.detach().numpy(), of_item.detach().numpy()
