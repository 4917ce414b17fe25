"""What networks of ids read, the same for all of them, and how they are trained.

Each network differs in what it makes of the inputs alone: tokens of items, the history, facts of the shopper
and cross features are those of BST (`models.bst_network`), so are points, negatives, steps and optimiser.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluation.rankers.hard_negatives import HardNegatives
from evaluation.rankers.ranker import RankerKind, Scores
from models.batches import encode_shoppers
from models.bst_network import POPULARITY_BANDS, Bst
from models.bst_settings import BstNetworkSettings
from models.history_tokens import Rows
from models.rankers.examples import Examples, Float64, Ranges
from models.rankers.measure import mean_ndcg
from models.settings import TrainingSettings
from models.train_bst import score_points
from models.training_loop import train

NETWORK = BstNetworkSettings(dimension=16, heads=2, feed_forward=32, hidden=(64, 32), side_dimension=8)
TRAINING = TrainingSettings(
    batch_size=64, max_steps=600, evaluate_every=100, patience=3, max_epochs=12, learning_rate=2e-3
)


@dataclass(frozen=True, slots=True)
class IdInputs:
    """What is known of B shoppers and C candidates of each.

    candidate  float32[B, C, d], tokens
    sides      float32[B, C, s], side features and popularity
    cross      float32[B, C, x], how candidates meet the history
    history    float32[B, T, d], tokens, zero where there is no event; present: float32[B, T]
    facts      float32[B, f], profile, context and the history's length
    """

    candidate: Tensor
    sides: Tensor
    cross: Tensor
    history: Tensor
    present: Tensor
    facts: Tensor

    @property
    def pooled(self) -> Tensor:
        """float32[B, d], the mean of the history's tokens."""
        return self.history.sum(dim=1) / self.present.sum(dim=1, keepdim=True).clamp(min=1)

    def spread(self, of_shopper: Tensor) -> Tensor:
        """float32[B, C, …]: float32[B, …] beside each candidate."""
        return of_shopper[:, None].expand(-1, self.candidate.shape[1], -1)


class IdNetwork(Bst):
    """A network over `IdInputs`; `forward` of BST does not hold here."""

    def __init__(self, ranges: Ranges) -> None:
        """Draws new weights; raises ValueError where the examples have no shoppers."""
        if ranges.features is None:
            raise ValueError("these examples have no shoppers, so that there are no ids to learn")
        super().__init__(NETWORK, ranges.features, ranges.profile_counts)
        settings = self.settings
        # BST's own layers.
        del self.blocks, self.user_half, self.candidate_half, self.layers
        self.width = settings.dimension
        self.sides_width = settings.side_dimension * (len(self.side_embeddings) + 1) + 1
        self.cross_width = self.cross_features.width
        self.facts_width = settings.side_dimension * (
            len(self.profile_embeddings) + len(self.context_embeddings)
        )
        self.make()

    @abstractmethod
    def make(self) -> None:
        """Makes the network's own layers."""

    @abstractmethod
    def score(self, inputs: IdInputs) -> Tensor:
        """Logits float32[B, C]."""

    def grouped_logits(
        self,
        history_item: Tensor,
        history_event: Tensor,
        history_age: Tensor,
        profile: Tensor,
        context: Tensor,
        candidates: Tensor,
    ) -> Tensor:
        """As of `Bst.grouped_logits`."""
        history = self._history(history_item, history_event, history_age)
        items = self.tables.known(candidates)
        sides = [
            embedding(self.tables.codes(name, items)) for name, embedding in self.side_embeddings.items()
        ]
        popularity = self._popularity(items)
        band = (popularity * 2).clamp(0, POPULARITY_BANDS - 1).long()
        zero = torch.zeros_like(items[:, :1])
        facts = [
            embedding(codes.clamp(0, embedding.num_embeddings - 1).long())
            for embedding, codes in zip(
                [*self.profile_embeddings, *self.context_embeddings],
                [*profile.unbind(1), *context.unbind(1)],
                strict=True,
            )
        ]
        return self.score(
            IdInputs(
                self._candidate_token(items),
                torch.cat([*sides, self.popularity_embedding(band), popularity[..., None]], dim=-1),
                self._cross(items, history, Rows(zero, zero)),
                history.tokens,
                history.present,
                torch.cat(facts, dim=-1),
            )
        )


def perceptron(width: int) -> nn.Sequential:
    """float32[…, width] → float32[…, 1], with the hidden layers that all networks have."""
    first, second = NETWORK.hidden
    return nn.Sequential(
        nn.Linear(width, first),
        nn.LeakyReLU(),
        nn.Dropout(NETWORK.dropout),
        nn.Linear(first, second),
        nn.LeakyReLU(),
        nn.Linear(second, 1),
    )


def network_ranker(make: Callable[[Ranges], Bst], hard: HardNegatives | None = None) -> RankerKind:
    """The registration of a network, trained by cross entropy on the examples' points.

    `hard`: how a part of the negatives is drawn by hardness; None = all stay as the examples have them.
    """

    def fit(ranges: Ranges, seed: int) -> Scores:
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        network = make(ranges)
        labelled, log = ranges.train.labelled, ranges.log
        if labelled is None or log is None:
            raise ValueError("these examples have no shoppers, so that there are no ids to learn")

        def losses() -> Iterator[Callable[[], Tensor]]:
            while True:
                order = random.permutation(len(labelled.points))
                for first in range(0, len(order), TRAINING.batch_size):
                    rows = order[first : first + TRAINING.batch_size]

                    def loss(rows: np.ndarray = rows) -> Tensor:
                        points, drawn = labelled.points.select(rows), labelled.items[rows]
                        if hard is not None and ranges.spare is not None:
                            count = round(hard.share * (drawn.shape[1] - points.positives.shape[1]))
                            harder = hard.draw(network, log, points, ranges.spare[rows], count, random)
                            drawn = np.concatenate((drawn[:, : drawn.shape[1] - count], harder), axis=1)
                        items = torch.from_numpy(drawn)
                        logits = network.grouped_logits(*encode_shoppers(log, points).all, items)
                        present = items > 0
                        return functional.binary_cross_entropy_with_logits(
                            logits[present], torch.from_numpy(labelled.labels[rows])[present]
                        )

                    yield loss

        def scores(examples: Examples) -> Float64:
            assert examples.labelled is not None
            found = score_points(network, log, examples.labelled)
            return found[examples.labelled.items > 0].astype(np.float64)

        train(
            network,
            losses(),
            lambda: {"ndcg": mean_ndcg(ranges.valid, scores(ranges.valid))},
            "ndcg",
            TRAINING.bounded_by(len(labelled.points)),
        )
        return scores

    return RankerKind("pointwise", fit, ids=True)
