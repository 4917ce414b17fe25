"""Training of the two-tower model of prerank: BST teaches it its order of a shopper's candidates.

The loss of one shopper's list is the cross-entropy between two softmaxes over its candidates, BST's logits
divided by a temperature and the student's (distillation: Hinton et al. 2015, arXiv:1503.02531; listwise
softmax: Cao et al. 2007, ICML, ListNet; from a ranking model to a lighter one: Tang and Wang 2018, KDD,
arXiv:1809.07428). A small part of the loss is the same against what the shopper took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.batches import ShopperBatch, encode_shoppers, ordered_batches, shuffled_batches
from models.bst_network import Bst
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.labelled_points import LabelledPoints, with_candidates
from models.negatives import NegativeSampler
from models.prerank_settings import TwoTowerNetworkSettings
from models.samples import SamplePoints
from models.settings import SampleSettings, TrainingSettings
from models.training_loop import Progress, TrainingResult, silent, train, weighted_mean
from models.training_points import training_points
from models.transformer import MASKED
from models.two_tower import TwoTower
from snapshot.manifest import Cuts

VALIDATION_CANDIDATES = 1000
WANTED, KEPT = 50, 100
WATCHED = f"teacher_top{WANTED}_in_{KEPT}_of_{VALIDATION_CANDIDATES}"


def listwise_loss(student: Tensor, target: Tensor, present: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of lists: −Σ target · log softmax(student).

    student: float32[B, C] logits; target: float32[B, C], each row sums to 1, or to 0 where it teaches
    nothing; present: bool[B, C]; weights: float32[B], how much each list counts, None = 1 each.
    """
    log_share = functional.log_softmax(student.masked_fill(~present, MASKED), dim=1)
    return weighted_mean(-(target * log_share.masked_fill(~present, 0)).sum(1), weights)


def teacher_share(teacher: Tensor, present: Tensor, temperature: float) -> Tensor:
    """softmax(teacher / temperature) over the present candidates: float32[B, C]."""
    return torch.softmax((teacher / temperature).masked_fill(~present, MASKED), dim=1) * present


def label_share(labels: Tensor, present: Tensor) -> Tensor:
    """Each taken candidate by its label, summing to 1; all 0 where none was taken: float32[B, C]."""
    taken = labels * present
    return taken / taken.sum(1, keepdim=True).clamp(min=1e-6)


def kept_share(student: np.ndarray, teacher: np.ndarray, wanted: int, kept: int) -> np.ndarray:
    """float64[B]: which share of the teacher's first `wanted` are among the student's first `kept`.

    student, teacher: float[B, C]; an absent candidate is −inf in both. Rows with fewer than `wanted`
    candidates are measured on what they have.
    """
    best = np.argsort(-teacher, axis=1, kind="stable")[:, :wanted]
    rank = np.argsort(np.argsort(-student, axis=1, kind="stable"), axis=1)
    real = np.isfinite(np.take_along_axis(teacher, best, axis=1))
    inside = (np.take_along_axis(rank, best, axis=1) < kept) & real
    share: np.ndarray = inside.sum(1) / np.maximum(real.sum(1), 1)
    return share


def train_two_tower(
    teacher: Bst,
    log: InteractionLog,
    features: ItemFeatures,
    profile_counts: tuple[int, ...],
    cuts: Cuts,
    settings: TwoTowerNetworkSettings,
    samples: SampleSettings,
    training: TrainingSettings,
    progress: Progress = silent,
) -> tuple[TwoTower, TrainingResult]:
    """Trains on points before `cuts.valid_from`, stopping early on [valid_from, test_from).

    Watched is the share of the teacher's 50 best that are among the student's 100 best of 1,000 candidates
    drawn like those of training. All randomness comes from `training.seed`.

    Raises TrainingError where one of the two ranges holds no sample point, or a loss is not finite.
    """
    torch.manual_seed(training.seed)
    rng, validation_rng = np.random.default_rng(training.seed).spawn(2)
    sampler = NegativeSampler.fit(log, samples.negative_sources, (0, cuts.valid_from))
    points, held_out = training_points(log, cuts, samples, training, rng, validation_rng)
    teacher.eval()
    model = TwoTower(settings, features, profile_counts)
    lists = _validation_lists(teacher, log, held_out, sampler, validation_rng)

    def losses() -> Iterator[Callable[[], Tensor]]:
        for batch in shuffled_batches(points, training.batch_size, rng):
            labelled = with_candidates(batch, sampler, samples.negatives, rng)

            def loss(
                batch: SamplePoints = batch,
                labelled: LabelledPoints = labelled,
            ) -> Tensor:
                shoppers, candidates = encode_shoppers(log, batch), torch.from_numpy(labelled.items)
                labels, weights = labelled.labels, None
                if labelled.weights is not None:
                    labels = labels * labelled.weights
                    weights = torch.from_numpy(batch.mean_weights())
                present = candidates > 0
                with torch.no_grad():
                    taught = teacher_share(
                        teacher.grouped_logits(*shoppers.all, candidates), present, settings.temperature
                    )
                took = label_share(torch.from_numpy(labels), present)
                target = (1 - settings.label_weight) * taught + settings.label_weight * took
                return listwise_loss(
                    model.grouped_logits(*shoppers.all, candidates), target, present, weights
                )

            yield loss

    def validate() -> dict[str, float]:
        shares = []
        for shoppers, items, expected in lists:
            scores = model.grouped_logits(*shoppers.all, torch.from_numpy(items)).numpy()
            shares.append(kept_share(np.where(items > 0, scores, -np.inf), expected, WANTED, KEPT))
        return {WATCHED: float(np.concatenate(shares).mean())}

    return model, train(model, losses(), validate, WATCHED, training.bounded_by(len(points)), progress)


def _validation_lists(
    teacher: Bst,
    log: InteractionLog,
    points: SamplePoints,
    sampler: NegativeSampler,
    rng: np.random.Generator,
) -> list[tuple[ShopperBatch, np.ndarray, np.ndarray]]:
    """Batches of shoppers, their candidates int32[B, C] without repeats, and the teacher's logits."""
    lists = []
    for batch in ordered_batches(points, 16):
        shoppers = encode_shoppers(log, batch)
        items = without_repeats(sampler.draw(batch, VALIDATION_CANDIDATES, rng))
        with torch.inference_mode():
            scores = teacher.grouped_logits(*shoppers.all, torch.from_numpy(items)).numpy()
        lists.append((shoppers, items, np.where(items > 0, scores, -np.inf)))
    return lists


def without_repeats(items: np.ndarray) -> np.ndarray:
    """int32[B, C] with all but one of each row's equal items set to 0."""
    ordered = np.sort(items, axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = 0
    return ordered
