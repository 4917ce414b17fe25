"""The training loop: steps, validation, early stopping; the same weights for the same seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from models.batch_share import ALONE, BatchShare
from models.settings import TrainingSettings


class Progress(Protocol):
    """Told after every step; the command line draws a bar from it."""

    def __call__(self, step: int, steps: int, loss: float, metrics: dict[str, float]) -> None:
        """Receives one step of `steps`; loss: its own; metrics: of the latest validation, may be empty."""


def silent(step: int, steps: int, loss: float, metrics: dict[str, float]) -> None:
    """A `Progress` that shows nothing."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to change."""


@dataclass(slots=True)
class TrainingResult:
    """steps: of the kept weights; metrics: their validation; history: (step, metrics) of every validation."""

    steps: int
    metrics: dict[str, float]
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)


def optimizers(model: nn.Module, settings: TrainingSettings) -> list[torch.optim.Optimizer]:
    """Adam with decoupled weight decay for dense weights, sparse Adam for tables with sparse gradients.

    A dense Adam would touch every row of the item table in every step; the sparse one moves the batch's rows.
    """
    tables = [m.weight for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]
    chosen = {id(weight) for weight in tables}
    dense = [p for p in model.parameters() if id(p) not in chosen]
    made: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(dense, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    ]
    if tables:
        made.append(torch.optim.SparseAdam(tables, settings.embedding_learning_rate))
    return made


def train(
    model: nn.Module,
    batches: Iterator[Callable[[], Tensor | None]],
    validate: Callable[[], dict[str, float]],
    watched: str,
    settings: TrainingSettings,
    progress: Progress = silent,
    share: BatchShare = ALONE,
) -> TrainingResult:
    """Trains `model` in place and leaves it with the weights of its best validation, in eval mode.

    batches: endless; each, called, gives the loss of one batch, None where this worker has no row of it.
    validate: metrics of the model in eval mode. watched: the metric that must grow; after `settings.patience`
    validations without a new best, training stops. share: what this worker computes of each batch; how far
    training is, is kept with it at every validation. The learning rate rises over `warmup_steps` and falls by
    a cosine to a tenth.

    Raises TrainingError where a loss is not finite.
    """
    optimisers = optimizers(model, settings)
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, _schedule(settings)) for o in optimisers]
    course = _Course()
    before = share.kept()
    if before is not None:
        course = _Course(**before.pop("course"))
        model.load_state_dict(before["model"])
        for optimiser, state in zip(optimisers, before["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        for schedule, state in zip(schedules, before["schedules"], strict=True):
            schedule.load_state_dict(state)
        for _ in range(course.step):
            # Drawn once more, so that what follows is drawn as if nothing had happened.
            next(batches)
    while course.step < settings.max_steps and course.waited < settings.patience:
        course.step += 1
        model.train()
        compute = next(batches)
        share.begin_step(settings.seed, course.step)
        loss = compute()
        for optimiser in optimisers:
            optimiser.zero_grad()
        value = share.summed(model, loss)
        for optimiser in optimisers:
            optimiser.step()
        for schedule in schedules:
            schedule.step()
        if value != value or abs(value) == float("inf"):
            raise TrainingError(
                f"the loss of step {course.step} is {value}; lower learning_rate (now "
                f"{settings.learning_rate}) or embedding_learning_rate (now "
                f"{settings.embedding_learning_rate})"
            )
        if course.step % settings.evaluate_every == 0 or course.step == settings.max_steps:
            model.eval()
            with torch.no_grad():
                metrics = share.decided(validate)
            course.validated(metrics, watched, model)
            share.keep(
                lambda: {
                    "course": dict(vars(course)),
                    "model": model.state_dict(),
                    "optimisers": [each.state_dict() for each in optimisers],
                    "schedules": [each.state_dict() for each in schedules],
                }
            )
        progress(course.step, settings.max_steps, value, course.latest)
    if course.kept is not None:
        model.load_state_dict(course.kept)
    model.eval()
    return TrainingResult(course.best_step, course.best, course.history)


@dataclass
class _Course:
    """How far training is: steps done, the last and the best validation, and the weights of the latter."""

    step: int = 0
    latest: dict[str, float] = field(default_factory=dict)
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    best_step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    kept: dict[str, Any] | None = None
    waited: int = 0

    def validated(self, metrics: dict[str, float], watched: str, model: nn.Module) -> None:
        """After a validation: keeps the model's weights where they are the best so far."""
        self.latest = metrics
        self.history.append((self.step, metrics))
        if self.kept is None or metrics[watched] > self.best[watched]:
            self.best_step, self.best, self.waited = self.step, metrics, 0
            self.kept = copy.deepcopy(model.state_dict())
        else:
            self.waited += 1


def _schedule(settings: TrainingSettings) -> Callable[[int], float]:
    def factor(step: int) -> float:
        if step < settings.warmup_steps:
            return (step + 1) / (settings.warmup_steps + 1)
        done = (step - settings.warmup_steps) / max(1, settings.max_steps - settings.warmup_steps)
        return 0.1 + 0.45 * (1 + float(torch.cos(torch.tensor(done * torch.pi))))

    return factor


def weighted_mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    """The mean of losses float32[m] by weights float32[m], None = 1 each; 0 where nothing counts."""
    if weights is None:
        return losses.mean()
    return (losses * weights).sum() / weights.sum().clamp(min=1e-6)
