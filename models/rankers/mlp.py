"""A small network over the inputs of candidates, learned by any loss of lists."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.rankers.examples import Examples, Float32, Float64, LearningRanges
from models.rankers.losses import Loss, WeighedLoss
from models.rankers.measure import NDCG, mean_ndcg
from models.rankers.settings import MlpNetworkSettings
from models.rankers.standardised import LARGEST, Standardised
from models.settings import TrainingSettings
from models.training_loop import Progress, TrainingResult, silent, train


class Mlp(nn.Module):
    """Layers over inputs of mean 0 and standard deviation 1, cut to ±8; a score in 0…1 per candidate."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, settings: MlpNetworkSettings) -> None:
        """`width`: inputs of a candidate."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        sizes = (width, *settings.hidden)
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(itertools.pairwise(sizes)):
            layers += [nn.Linear(before, after), nn.ReLU()]
            if number == 0:
                layers.append(nn.Dropout(settings.dropout))
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def logits(self, ranker_inputs: Tensor) -> Tensor:
        """float32[…] of inputs float32[…, F]."""
        scaled = ((ranker_inputs - self.mean) / self.scale).clamp(-LARGEST, LARGEST)
        logits: Tensor = self.layers(scaled).squeeze(-1)
        return logits

    def forward(self, ranker_inputs: Tensor) -> Tensor:
        """float32[n] of inputs float32[n, F]: σ of the logits, so that they can be added to others."""
        return torch.sigmoid(self.logits(ranker_inputs))

    def scores(self, examples: Examples) -> Float64:
        """Logits float64[n], in eval mode."""
        self.eval()
        with torch.inference_mode():
            return np.asarray(self.logits(torch.from_numpy(examples.inputs)).numpy(), np.float64)


def fit_mlp(
    ranges: LearningRanges,
    loss: Loss | WeighedLoss,
    settings: MlpNetworkSettings,
    training: TrainingSettings,
    progress: Progress = silent,
    weights: Float32 | None = None,
) -> tuple[Mlp, TrainingResult]:
    """Trains on whole lists, stopping early by NDCG@10 of the validation range.

    With `weights` float32[n] of the training examples, the loss is one that takes them.

    All randomness comes from `training.seed`. Raises TrainingError where a loss is not finite.
    """
    torch.manual_seed(training.seed)
    random = np.random.default_rng(training.seed)
    inputs = torch.from_numpy(ranges.train.inputs)
    grades = torch.from_numpy(ranges.train.grades.astype(np.float32))
    cells = _cells(ranges.train)
    weighed = None if weights is None else torch.from_numpy(weights)
    network = Mlp(inputs.shape[1], settings)
    scaled = Standardised.of(ranges.train)
    network.mean.copy_(torch.from_numpy(scaled.mean))
    network.scale.copy_(torch.from_numpy(scaled.scale))

    def losses() -> Iterator[Callable[[], Tensor]]:
        for rows in _batches(len(cells), training.batch_size, random):
            batch = cells[torch.from_numpy(rows)]

            def of_batch(batch: Tensor = batch) -> Tensor:
                at = batch.clamp(min=0)
                scores, present = network.logits(inputs[at]), batch >= 0
                if weighed is None:
                    return loss(scores, grades[at], present)
                return cast(WeighedLoss, loss)(scores, grades[at], present, weighed[at])

            yield of_batch

    def validate() -> dict[str, float]:
        return {NDCG: mean_ndcg(ranges.valid, network.scores(ranges.valid))}

    return network, train(network, losses(), validate, NDCG, training.bounded_by(len(cells)), progress)


def _batches(count: int, size: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Endless batches of rows 0…count − 1, every epoch in a new order."""
    while True:
        order = random.permutation(count)
        yield from (order[first : first + size] for first in range(0, count, size))


def _cells(examples: Examples) -> Tensor:
    """int64[q, c]: rows of each query's candidates, −1 behind them."""
    sizes, offsets = examples.sizes, examples.offsets[:-1]
    columns = np.arange(int(sizes.max()))
    return torch.from_numpy(np.where(columns < sizes[:, None], offsets[:, None] + columns, -1))
