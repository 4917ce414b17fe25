"""Training of MIND by sampled softmax over label-aware shopper vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from foundation.statistics.ranking_metrics import hit_rate, recall
from models.batches import encode_shoppers, ordered_batches, shuffled_batches
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.mind_network import Mind
from models.mind_settings import MindNetworkSettings
from models.sampled_softmax import FrequencySampler, sampled_softmax_loss
from models.samples import SamplePoints
from models.settings import SampleSettings, TrainingSettings
from models.training_loop import Progress, TrainingResult, silent, train
from models.training_points import training_points
from snapshot.manifest import Cuts

VALIDATION_K = 200


def nearest_items(interests: Tensor, item_vectors: Tensor, k: int) -> np.ndarray:
    """int64[B, k]: the items nearest to any of a shopper's interests, best first.

    interests: float32[B, K, D]; item_vectors: float32[N+1, D], row 0 never returned.
    """
    score = interests[:, 0] @ item_vectors.T
    for interest in interests.unbind(1)[1:]:
        active = (interest.abs().sum(-1, keepdim=True) > 0).float()
        score = torch.maximum(score, interest @ item_vectors.T * active - 2 * (1 - active))
    score[:, 0] = -torch.inf
    return torch.topk(score, min(k, score.shape[1] - 1), dim=1).indices.numpy()


def recall_at(
    model: Mind, log: InteractionLog, points: SamplePoints, k: int, batch_size: int = 256
) -> dict[str, float]:
    """recall@k and hit_rate@k of the points' positives over the catalogue, points weighing alike."""
    vectors = model.item_vectors()
    hits, targets = [], []
    for batch in ordered_batches(points, batch_size):
        with torch.inference_mode():
            found = nearest_items(model(*encode_shoppers(log, batch).history), vectors, k)
        wanted = np.where(batch.positives > 0, batch.positives, -1)
        hits.append((found[:, :, None] == wanted[:, None, :]).any(2))
        targets.append((batch.positives > 0).sum(1))
    hit, target = np.concatenate(hits), np.concatenate(targets)
    return {
        f"recall@{k}": float(recall(hit, target, k).mean()),
        f"hit_rate@{k}": float(hit_rate(hit, k).mean()),
    }


def train_mind(
    log: InteractionLog,
    features: ItemFeatures,
    cuts: Cuts,
    settings: MindNetworkSettings,
    samples: SampleSettings,
    training: TrainingSettings,
    progress: Progress = silent,
) -> tuple[Mind, TrainingResult]:
    """Trains on points before `cuts.valid_from`, stopping early by recall on [valid_from, test_from).

    Frequencies, for draws and for their correction, come from before `valid_from`. All randomness comes from
    `training.seed`: the same seed, settings, log and number of threads give the same weights on the same
    machine.

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

    def losses() -> Iterator[Callable[[], Tensor]]:
        for batch in shuffled_batches(points, training.batch_size, rng):
            drawn = sampler.draw(settings.shared_negatives, rng)

            def loss(batch: SamplePoints = batch, drawn: np.ndarray = drawn) -> Tensor:
                return _loss(model, log, batch, torch.from_numpy(drawn), log_share)

            yield loss

    def validate() -> dict[str, float]:
        return recall_at(model, log, held_out, VALIDATION_K)

    budget = training.bounded_by(len(points))
    return model, train(model, losses(), validate, f"recall@{VALIDATION_K}", budget, progress)


def _loss(
    model: Mind, log: InteractionLog, batch: SamplePoints, negatives: Tensor, log_share: Tensor
) -> Tensor:
    positives = torch.from_numpy(batch.positives).long()
    targets = model.vectors_of(positives)
    interests = model(*encode_shoppers(log, batch).history)
    shopper = model.label_aware(interests, targets)
    present = positives > 0
    temperature = model.settings.temperature
    shopper, targets = shopper[present], targets[present]
    positive = (shopper * targets).sum(-1) / temperature
    negative = shopper @ model.vectors_of(negatives).T / temperature
    return sampled_softmax_loss(positive, negative, log_share, positives[present], negatives)
