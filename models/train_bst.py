"""Training of the Behavior Sequence Transformer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from foundation.statistics.ranking_metrics import auc, gauc, log_loss
from models.batch_share import ALONE, BatchShare
from models.batches import encode_shoppers, ordered_batches, shuffled_batches
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.labelled_points import LabelledPoints, with_candidates
from models.negatives import NegativeSampler
from models.settings import SampleSettings, TrainingSettings
from models.training_loop import Progress, TrainingResult, silent, train, weighted_mean
from models.training_points import training_points
from snapshot.manifest import Cuts


def score_points(
    model: Bst, log: InteractionLog, labelled: LabelledPoints, batch_size: int = 256
) -> np.ndarray:
    """Logits float32[S, C] of the candidates, in eval mode; those of absent candidates mean nothing."""
    scores = np.zeros(labelled.items.shape, dtype=np.float32)
    done = 0
    model.eval()
    with torch.inference_mode():
        for batch in ordered_batches(labelled.points, batch_size):
            rows = slice(done, done + len(batch))
            shoppers = encode_shoppers(log, batch)
            scores[rows] = model.grouped_logits(*shoppers.all, torch.from_numpy(labelled.items[rows])).numpy()
            done += len(batch)
    return scores


def ranking_metrics(labelled: LabelledPoints, probabilities: np.ndarray) -> dict[str, float]:
    """auc, gauc (by shopper) and log_loss of float[S, C] probabilities; absent candidates are left out."""
    present = labelled.items > 0
    label, score = labelled.labels[present], probabilities[present]
    user = np.broadcast_to(labelled.points.user[:, None], present.shape)[present]
    return {
        "auc": auc(label, score),
        "gauc": gauc(label, score, user),
        "log_loss": log_loss(label, score),
    }


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def train_bst(
    log: InteractionLog,
    features: ItemFeatures,
    profile_counts: tuple[int, ...],
    cuts: Cuts,
    settings: BstNetworkSettings,
    samples: SampleSettings,
    training: TrainingSettings,
    progress: Progress = silent,
    share: BatchShare = ALONE,
) -> tuple[Bst, TrainingResult]:
    """Trains on points before `cuts.valid_from`, stopping early by GAUC on [valid_from, test_from).

    Negatives of a range are as popular as items were in that range; nothing from `valid_from` on shapes a
    weight, and validation only chooses among weights. All randomness comes from `training.seed`: the
    same seed, settings, log and number of threads give the same weights on the same machine. `share`: what
    this worker computes of each batch, whose candidates all workers draw.

    Raises TrainingError where one of the two ranges holds no sample point, or a loss is not finite.
    """
    torch.manual_seed(training.seed)
    rng, validation_rng = np.random.default_rng(training.seed).spawn(2)
    past, watched = (0, cuts.valid_from), (cuts.valid_from, cuts.test_from)
    sampler = NegativeSampler.fit(log, samples.negative_sources, past)
    points, held_out = training_points(log, cuts, samples, training, rng, validation_rng)
    validation = with_candidates(
        held_out,
        NegativeSampler.fit(log, samples.negative_sources.broad(), watched),
        samples.negatives,
        validation_rng,
    )
    model = Bst(settings, features, profile_counts)

    def losses() -> Iterator[Callable[[], Tensor | None]]:
        for batch in shuffled_batches(points, training.batch_size, rng):
            whole = with_candidates(batch, sampler, samples.negatives, rng)

            def loss(whole: LabelledPoints = whole) -> Tensor | None:
                labelled = whole.part(share.rows(len(whole.points)))
                if not len(labelled.points):
                    return None
                shoppers = encode_shoppers(log, labelled.points)
                items = torch.from_numpy(labelled.items)
                offset = torch.from_numpy(sampler.log_oversampling(labelled.points, labelled.items))
                logits = model.grouped_logits(*shoppers.all, items) - offset
                present = items > 0
                each = functional.binary_cross_entropy_with_logits(
                    logits[present], torch.from_numpy(labelled.labels)[present], reduction="none"
                )
                weights = labelled.weights
                mean = weighted_mean(each, None if weights is None else torch.from_numpy(weights)[present])
                return share.part(mean, labelled.weight(), whole.weight())

            yield loss

    def validate() -> dict[str, float]:
        return ranking_metrics(validation, _sigmoid(score_points(model, log, validation)))

    budget = training.bounded_by(len(points))
    return model, train(model, losses(), validate, "gauc", budget, progress, share)
