"""Training of MIND by sampled softmax over label-aware shopper vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from models.batch_share import ALONE, BatchShare
from models.batches import encode_shoppers, shuffled_batches
from models.dual_gate import closeness
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.mind_network import Mind
from models.mind_settings import MindNetworkSettings
from models.nearest_items import recall_at
from models.sampled_softmax import FrequencySampler, sampled_softmax_loss
from models.samples import SamplePoints
from models.settings import SampleSettings, TrainingSettings
from models.training_loop import Progress, TrainingResult, silent, train
from models.training_points import training_points
from snapshot.manifest import Cuts

VALIDATION_K = 200


def train_mind(
    log: InteractionLog,
    features: ItemFeatures,
    cuts: Cuts,
    settings: MindNetworkSettings,
    samples: SampleSettings,
    training: TrainingSettings,
    progress: Progress = silent,
    share: BatchShare = ALONE,
) -> tuple[Mind, TrainingResult]:
    """Trains on points before `cuts.valid_from`, stopping early by recall on [valid_from, test_from).

    Frequencies, for draws and for their correction, come from before `valid_from`. All randomness comes from
    `training.seed`: the same seed, settings, log and number of threads give the same weights on the same
    machine. `share`: what this worker computes of each batch, whose negatives all workers draw.

    Raises TrainingError where one of the two ranges holds no point with a history, or a loss is not finite.
    """
    torch.manual_seed(training.seed)
    rng, validation_rng = np.random.default_rng(training.seed).spawn(2)
    sampler = FrequencySampler.fit(
        log.item_frequency((0, cuts.valid_from)), settings.negative_power, settings.negative_smoothing
    )
    log_share = torch.from_numpy(sampler.log_share)
    points, held_out = training_points(log, cuts, samples, training, rng, validation_rng, with_history=True)
    model = Mind(settings, features, routing_seed=training.seed)

    def losses() -> Iterator[Callable[[], Tensor | None]]:
        for batch in shuffled_batches(points, training.batch_size, rng):
            drawn = sampler.draw(settings.shared_negatives, rng)

            def loss(batch: SamplePoints = batch, drawn: np.ndarray = drawn) -> Tensor | None:
                return _loss(model, log, batch, torch.from_numpy(drawn), log_share, share)

            yield loss

    def validate() -> dict[str, float]:
        return recall_at(
            lambda batch: model(*batch.history), model.item_vectors(), log, held_out, VALIDATION_K
        )

    budget = training.bounded_by(len(points))
    return model, train(model, losses(), validate, f"recall@{VALIDATION_K}", budget, progress, share)


def _loss(
    model: Mind,
    log: InteractionLog,
    whole: SamplePoints,
    negatives: Tensor,
    log_share: Tensor,
    share: BatchShare,
) -> Tensor | None:
    """What the rows of this worker add to the loss of a batch; None where it has none."""
    batch = whole.select(np.arange(len(whole))[share.rows(len(whole))])
    if not len(batch):
        return None
    positives = torch.from_numpy(batch.positives).long()
    targets = model.vectors_of(positives)
    interests = model(*encode_shoppers(log, batch).history)
    shopper = model.label_aware(interests, targets)
    present = positives > 0
    temperature = model.settings.temperature
    shopper, targets = shopper[present], targets[present]
    positive = (shopper * targets).sum(-1) / temperature
    negative = shopper @ model.vectors_of(negatives).T / temperature
    weights = None if batch.weights is None else torch.from_numpy(batch.weights)[present]
    mean = sampled_softmax_loss(positive, negative, log_share, positives[present], negatives, weights)
    loss = share.part(mean, batch.weight(), whole.weight())
    if model.settings.separation:
        apart = share.part(closeness(interests), len(batch), len(whole))
        loss = loss + model.settings.separation * apart
    return loss
