"""Batches: sample points as the tensors a network takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from features.context import encode_context_batch
from features.history import encode_history_batch
from models.interaction_log import InteractionLog
from models.samples import SamplePoints


@dataclass(frozen=True, slots=True)
class ShopperBatch:
    """What is known of B shoppers at their moments, as the networks take it.

    history_item, history_event, history_age: int32[B, T]; profile: int32[B, 4]; context: int32[B, 3].
    """

    history_item: Tensor
    history_event: Tensor
    history_age: Tensor
    profile: Tensor
    context: Tensor

    @property
    def history(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three history tensors, in the networks' order."""
        return self.history_item, self.history_event, self.history_age

    @property
    def all(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """All five tensors, in the networks' order."""
        return (*self.history, self.profile, self.context)


def encode_shoppers(log: InteractionLog, points: SamplePoints) -> ShopperBatch:
    """Encodes what was known at each point, with the encoders serving uses."""
    behaviours = log.behaviours
    item, event, age = encode_history_batch(
        behaviours.item,
        behaviours.event,
        behaviours.ts,
        points.history_start,
        points.history_end,
        points.now,
    )
    return ShopperBatch(
        torch.from_numpy(item),
        torch.from_numpy(event),
        torch.from_numpy(age),
        torch.from_numpy(log.profile[points.user]),
        torch.from_numpy(encode_context_batch(points.now)),
    )


def shuffled_batches(
    points: SamplePoints, batch_size: int, rng: np.random.Generator
) -> Iterator[SamplePoints]:
    """Endless batches: every epoch all points in a new order. The last batch of an epoch may be smaller."""
    while True:
        order = rng.permutation(len(points))
        for start in range(0, len(order), batch_size):
            yield points.select(order[start : start + batch_size])


def ordered_batches(points: SamplePoints, batch_size: int) -> Iterator[SamplePoints]:
    """All points once, in their order."""
    for start in range(0, len(points), batch_size):
        yield points.select(np.arange(start, min(start + batch_size, len(points))))
