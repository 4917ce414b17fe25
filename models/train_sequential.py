"""Training of the sequential network: every place of a sequence predicts what follows, by a softmax."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.nearest_items import recall_at
from models.sampled_softmax import FrequencySampler, sampled_softmax_loss
from models.sequences import Sequences, sequences_before
from models.sequential_network import Sequential
from models.sequential_settings import SequenceSettings, SequentialNetworkSettings
from models.settings import SampleSettings, TrainingSettings
from models.training_loop import (
    Progress,
    TrainingError,
    TrainingResult,
    silent,
    train,
    weighted_mean,
)
from models.training_points import training_points
from snapshot.manifest import Cuts

VALIDATION_K = 200


def train_sequential(
    log: InteractionLog,
    features: ItemFeatures,
    cuts: Cuts,
    network: SequentialNetworkSettings,
    sequences: SequenceSettings,
    samples: SampleSettings,
    training: TrainingSettings,
    progress: Progress = silent,
) -> tuple[Sequential, TrainingResult]:
    """Trains on sequences before `cuts.valid_from`, stopping early by recall on [valid_from, test_from).

    Of `samples` the horizon and the positive events are used, and all of it in the validation. All randomness
    comes from `training.seed`: the same seed, settings, log and number of threads give the same weights on
    the same machine.

    Raises TrainingError where no shopper has two behaviours before `valid_from`, the validation range holds
    no point with a history, or a loss is not finite.
    """
    torch.manual_seed(training.seed)
    rng, validation_rng = np.random.default_rng(training.seed).spawn(2)
    _, held_out = training_points(log, cuts, samples, training, rng, validation_rng, with_history=True)
    model = Sequential(network, features)

    def validate() -> dict[str, float]:
        return recall_at(
            lambda batch: model(batch.history_item, batch.history_event),
            model.item_vectors(),
            log,
            held_out,
            VALIDATION_K,
        )

    fitted = SequenceFit(log, cuts.valid_from, model, sequences, samples)
    budget = training.bounded_by(len(fitted.sequences))
    losses = fitted.losses(training.batch_size, rng)
    return model, train(model, losses, validate, f"recall@{VALIDATION_K}", budget, progress)


class SequenceFit:
    """Losses of a network over the sequences of a log before one moment."""

    def __init__(
        self,
        log: InteractionLog,
        until: int,
        model: Sequential,
        settings: SequenceSettings,
        samples: SampleSettings,
    ) -> None:
        """Cuts the sequences; raises TrainingError where no shopper has two behaviours before `until`."""
        self.sequences: Sequences = sequences_before(log.behaviours, until, samples.horizon)
        if not len(self.sequences):
            raise TrainingError(
                f"no shopper has two behaviours before unix second {until}; move the cuts or bring more of it"
            )
        self._log, self._model, self._settings = log, model, settings
        self._positive_events = np.asarray(samples.positive_events)
        network = model.settings
        self._sampler = FrequencySampler.fit(
            log.item_frequency((0, until)), network.negative_power, network.negative_smoothing
        )
        self._log_share = torch.from_numpy(self._sampler.log_share)

    def losses(self, batch_size: int, rng: np.random.Generator) -> Iterator[Callable[[], Tensor]]:
        """Endless: every epoch all sequences in a new order, with targets drawn anew."""
        while True:
            for rows in self.sequences.batches(batch_size, rng):
                places = self.sequences.places(rows)
                targets = self._targets(places, rng)
                if not (targets >= 0).any():
                    continue
                drawn = self._sampler.draw(self._model.settings.shared_negatives, rng)

                def loss(
                    places: np.ndarray = places, targets: np.ndarray = targets, drawn: np.ndarray = drawn
                ) -> Tensor:
                    return self._loss(places, targets, torch.from_numpy(drawn))

                yield loss

    def _targets(self, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """int64 of the places' shape: the behaviour whose item each one is to predict, −1 = none."""
        behaviours, settings = self._log.behaviours, self._settings
        at = self.sequences.draw_targets(places, rng)
        wanted = (at >= 0) & np.isin(behaviours.event[at], self._positive_events)
        skipped = self.sequences.same_moment[places] & (rng.random(places.shape) >= settings.within_moment)
        wanted &= ~skipped
        if behaviours.weight is not None:
            wanted &= behaviours.weight[at] > 0
        rows = np.flatnonzero(wanted)
        if len(rows) > settings.max_targets:
            chosen = np.zeros(places.size, np.bool_)
            chosen[rng.choice(rows, settings.max_targets, replace=False)] = True
            wanted = chosen.reshape(places.shape)
        return np.where(wanted, at, -1)

    def _loss(self, places: np.ndarray, targets: np.ndarray, drawn: Tensor) -> Tensor:
        behaviours, model = self._log.behaviours, self._model
        item = torch.from_numpy(np.where(places >= 0, behaviours.item[places], 0))
        event = torch.from_numpy(np.where(places >= 0, behaviours.event[places], 0))
        at = targets[targets >= 0]
        shopper = model.encode(item, event)[torch.from_numpy(targets >= 0)]
        target = torch.from_numpy(behaviours.item[at].astype(np.int64))
        weights = None if behaviours.weight is None else torch.from_numpy(behaviours.weight[at])
        if not model.samples:
            vectors = model.vectors_of(torch.arange(1, model.tables.items + 1))
            losses = functional.cross_entropy(shopper @ vectors.T, target - 1, reduction="none")
            return weighted_mean(losses, weights)
        positive = (shopper * model.vectors_of(target)).sum(-1)
        negative = shopper @ model.vectors_of(drawn).T
        return sampled_softmax_loss(positive, negative, self._log_share, target, drawn, weights)
