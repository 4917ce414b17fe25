"""One small network with four losses: of each grade, of pairs, and of lists."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from evaluation.rankers.examples import Examples, Float64, Ranges
from evaluation.rankers.measure import K, mean_ndcg
from evaluation.rankers.ranker import RankerKind, Scores
from evaluation.rankers.standardised import Standardised

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of scores float32[b, c], grades float32[b, c] and bool[b, c], which cells are candidates."""
_HIDDEN = (64, 32)
_ROUNDS, _PATIENCE = 30, 5
_STEPS = (10, 40)
"""Steps after which it is validated: an epoch, but within these. Rounds without a better one end it."""
_BATCH = 64
_RATE = 2e-3


def pointwise(scores: Tensor, grades: Tensor, present: Tensor) -> Tensor:
    """Cross entropy of each grade, as a part of the best one."""
    return functional.binary_cross_entropy_with_logits(scores[present], grades[present] / grades.max())


def rank_net(scores: Tensor, grades: Tensor, present: Tensor) -> Tensor:
    """RankNet (Burges et al., ICML 2005): log loss of every pair with different grades."""
    return _pairs(scores, grades, present, None)


def lambda_rank(scores: Tensor, grades: Tensor, present: Tensor) -> Tensor:
    """LambdaRank (Burges et al., NIPS 2006): each pair weighted by what swapping it changes in NDCG@10."""
    masked = torch.where(present, scores.detach(), torch.tensor(-torch.inf))
    place = masked.argsort(dim=1, descending=True).argsort(dim=1)
    discount = torch.where(place < K, 1 / torch.log2(place + 2.0), torch.tensor(0.0))
    gain = torch.exp2(grades) - 1
    best, _ = torch.where(present, gain, torch.tensor(0.0)).sort(dim=1, descending=True)
    ideal = (best[:, :K] / torch.log2(torch.arange(best[:, :K].shape[1]) + 2.0)).sum(dim=1).clamp(min=1e-6)
    swapped = (gain[:, :, None] - gain[:, None]) * (discount[:, :, None] - discount[:, None])
    return _pairs(scores, grades, present, swapped.abs() / ideal[:, None, None])


def softmax(scores: Tensor, grades: Tensor, present: Tensor) -> Tensor:
    """Cross entropy of the list's softmax with its gains (Cao et al., ICML 2007; top-one ListNet)."""
    gain = torch.where(present, torch.exp2(grades) - 1, torch.tensor(0.0))
    told = gain.sum(dim=1) > 0
    share = gain[told] / gain[told].sum(dim=1, keepdim=True)
    logs = functional.log_softmax(scores.masked_fill(~present, -1e9)[told], dim=1)
    return -(share * logs).sum(dim=1).mean()


def _pairs(scores: Tensor, grades: Tensor, present: Tensor, weights: Tensor | None) -> Tensor:
    better = (grades[:, :, None] > grades[:, None]) & present[:, :, None] & present[:, None]
    losses = functional.softplus(scores[:, None] - scores[:, :, None])
    if weights is not None:
        losses = losses * weights
    return (losses * better).sum() / better.sum().clamp(min=1)


def _fit(loss: Loss) -> Callable[[Ranges, int], Scores]:
    def fit(ranges: Ranges, seed: int) -> Scores:
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        scaled = Standardised.of(ranges.train)
        inputs = torch.from_numpy(scaled(ranges.train))
        grades = torch.from_numpy(ranges.train.grades.astype(np.float32))
        cells = _cells(ranges.train)
        network = _network(inputs.shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-4)
        kept, best, waited = copy.deepcopy(network.state_dict()), -1.0, 0
        batches = _batches(len(cells), random)
        steps = min(max(-(-len(cells) // _BATCH), _STEPS[0]), _STEPS[1])
        for _ in range(_ROUNDS):
            network.train()
            for rows in itertools.islice(batches, steps):
                batch = cells[torch.from_numpy(rows)]
                present = batch >= 0
                at = batch.clamp(min=0)
                scores = network(inputs[at]).squeeze(-1)
                optimiser.zero_grad()
                loss(scores, grades[at], present).backward()
                optimiser.step()
            reached = mean_ndcg(ranges.valid, _scores(network, scaled, ranges.valid))
            if reached > best:
                kept, best, waited = copy.deepcopy(network.state_dict()), reached, 0
            elif (waited := waited + 1) >= _PATIENCE:
                break
        network.load_state_dict(kept)
        return lambda examples: _scores(network, scaled, examples)

    return fit


def _batches(count: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Endless batches of rows 0…count − 1, every epoch in a new order."""
    while True:
        order = random.permutation(count)
        yield from (order[first : first + _BATCH] for first in range(0, count, _BATCH))


def _network(width: int) -> nn.Sequential:
    first, second = _HIDDEN
    return nn.Sequential(
        nn.Linear(width, first),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Linear(second, 1),
    )


def _cells(examples: Examples) -> Tensor:
    """int64[q, c]: rows of each query's candidates, −1 behind them."""
    sizes, offsets = examples.sizes, examples.offsets[:-1]
    columns = np.arange(int(sizes.max()))
    return torch.from_numpy(np.where(columns < sizes[:, None], offsets[:, None] + columns, -1))


def _scores(network: nn.Sequential, scaled: Standardised, examples: Examples) -> Float64:
    network.eval()
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(scaled(examples))).squeeze(-1).numpy(), np.float64)


POINTWISE = RankerKind("pointwise", _fit(pointwise))
RANK_NET = RankerKind("pairwise", _fit(rank_net))
LAMBDA_RANK = RankerKind("pairwise", _fit(lambda_rank))
SOFTMAX = RankerKind("listwise", _fit(softmax))
