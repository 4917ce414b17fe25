"""Trains the small network that names categories, from the encoder's weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from models.category_network import SIDES, SMALL, CategoryNetwork, Form
from models.class_draws import drawn
from models.picture_distortion import distort
from models.picture_network import PictureNetwork

_BATCH, _HEAD, _DECAY, _LONGEST = 64, 4.0, 0.05, 2.0
_WARM_UP, _LAST_RATE = 0.1, 0.01
_SMOOTHED, _FINER = 0.1, 0.3
_MIXED, _MIXED_BY = 0.5, 0.2
_SMALL_SIDES = (96, 72)
"""Sides of pictures where the training begins, which take less time than those that are seen later."""
_KEPT = 0.995
"""Of the moving average of weights, after each step."""
_MEASURED = 1_024
_PASSES, _LEAST_STEPS = 16, 800

Told = Callable[[int, float], None]
"""(passes behind, mean loss of the last)."""


@dataclass(frozen=True)
class _Round:
    """A part of the training, from a warm-up to the end of a cosine.

    Attributes:
        share: of all passes.
        rate: the highest, of the pretrained layers.
        small: part of the round in which pictures are small.
    """

    share: float
    rate: float
    small: float


_ROUNDS = (_Round(9 / 16, 8e-4, 0.5), _Round(7 / 16, 5e-4, 0.0))
"""The rate rises again (Loshchilov and Hutter, "SGDR", ICLR 2017), from the average of the weights."""


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures and their classes.

    Attributes:
        pictures: uint8[n, H, W, 3], of any size, which may be mapped.
        classes: int64[n] of each level, the one that counts most first; 0 … C − 1, −1 = not known.
        rows: int64[m], those to learn from.
        draws: float64[m], how often each of them is seen in a pass, on average; of sum m. None = once.
    """

    pictures: NDArray[np.uint8]
    classes: tuple[NDArray[np.int64], ...]
    rows: NDArray[np.int64]
    draws: NDArray[np.float64] | None = None

    def order(self, random: np.random.Generator) -> NDArray[np.int64]:
        """int64[m], the rows of a pass."""
        if self.draws is None:
            return random.permutation(self.rows)
        return drawn(self.rows, self.draws, random)


def train_network(
    training: LabelledPictures,
    counts: tuple[int, ...],
    encoder: PictureNetwork,
    passes: int,
    seed: int,
    told: Told,
    form: Form = SMALL,
) -> CategoryNetwork:
    """Trains by AdamW in rounds of a warm-up and a cosine's fall, each of which leaves averaged weights.

    Args:
        training: what it learns; a batch (64) of rows at least.
        counts: C of each level.
        encoder: has its weights; not to be used any more.
        passes: over all pictures.
        seed: of weights, order and distortions.
        told: after each pass.
        form: of the network.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    measured = np.sort(random.permutation(training.rows)[:_MEASURED])
    examples = distort(training.pictures[measured], form.measured, random).permute(0, 2, 3, 1)
    network = CategoryNetwork(counts, encoder, examples, form)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    done = 0
    for number, each in enumerate(_ROUNDS):
        later = sum(other.share for other in _ROUNDS[number + 1 :])
        share = round((passes - done) * each.share / (each.share + later))
        _train(network, training, each, (done, done + share), random, told)
        done += share
    network.eval()
    return network


def _train(
    network: CategoryNetwork,
    training: LabelledPictures,
    part: _Round,
    numbers: tuple[int, int],
    random: np.random.Generator,
    told: Told,
) -> None:
    """The passes of these numbers; leaves the moving average of their weights."""
    passes = numbers[1] - numbers[0]
    averaged = AveragedModel(network, avg_fn=_average, use_buffers=True)
    optimiser = _optimiser(network, part.rate)
    count = len(training.rows)
    steps = passes * (count // _BATCH)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / max(1, steps)))
    done = 0
    for behind in range(*numbers):
        network.train()
        losses = []
        order = training.order(random)
        for first in range(0, count - _BATCH + 1, _BATCH):
            rows = np.sort(order[first : first + _BATCH])
            sides = _SMALL_SIDES if done < part.small * steps else SIDES
            loss = _loss(network, training, rows, sides, random)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), _LONGEST)
            optimiser.step()
            rate.step()
            averaged.update_parameters(network)
            losses.append(loss.item())
            done += 1
        told(behind + 1, float(np.mean(losses)))
    if passes:
        network.load_state_dict(averaged.module.state_dict())


def usual_passes(count: int) -> int:
    """Passes that are worth their time, over so many pictures."""
    return max(_PASSES, -(-_LEAST_STEPS // max(1, count // _BATCH)))


def _average(kept: Tensor, new: Tensor, behind: Tensor | int) -> Tensor:
    """Moves the average of weights; faster at first, when it is of few steps."""
    share = min(_KEPT, (1 + float(behind)) / (10 + float(behind)))
    return share * kept + (1 - share) * new


def _rate(behind: float) -> float:
    """Of the highest rate, by the part of the training that is behind."""
    fall = (1 + np.cos(np.pi * behind)) / 2
    return float(min(1.0, behind / _WARM_UP + 1e-3) * (_LAST_RATE + (1 - _LAST_RATE) * fall))


def _optimiser(network: CategoryNetwork, highest: float) -> torch.optim.Optimizer:
    """Matrices decay, biases do not; the head, which knows nothing, learns faster."""
    groups = []
    pretrained = [*network.fine.parameters(), *network.coarse.parameters()]
    for part, rate in ((pretrained, highest), (list(network.head.parameters()), highest * _HEAD)):
        for decay, matrices in ((_DECAY, True), (0.0, False)):
            chosen = [each for each in part if (each.dim() > 1) == matrices]
            groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def _loss(
    network: CategoryNetwork,
    training: LabelledPictures,
    rows: NDArray[np.int64],
    sides: tuple[int, int],
    random: np.random.Generator,
) -> Tensor:
    """Cross-entropy of a batch; in half of the batches of pictures mixed with others.

    Zhang et al., "mixup" (ICLR 2018).
    """
    pixels = distort(training.pictures[rows], sides, random)
    other = torch.from_numpy(random.permutation(len(rows)))
    share = float(random.beta(_MIXED_BY, _MIXED_BY)) if random.random() < _MIXED else 1.0
    mixed = share * pixels + (1 - share) * pixels[other]
    logits = network.logits(mixed.contiguous(memory_format=torch.channels_last))
    loss = torch.zeros(())
    for level, (found, classes) in enumerate(zip(logits, training.classes, strict=True)):
        labels = torch.from_numpy(classes[rows])
        for part, truth in ((share, labels), (1 - share, labels[other])):
            if part > 0 and bool((truth >= 0).any()):
                entropy = functional.cross_entropy(found, truth, ignore_index=-1, label_smoothing=_SMOOTHED)
                loss = loss + part * (_FINER if level else 1.0) * entropy
    return loss
