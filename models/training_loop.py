"""The training loop: steps, validation, early stopping; the same weights for the same seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

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
    batches: Iterator[Callable[[], Tensor]],
    validate: Callable[[], dict[str, float]],
    watched: str,
    settings: TrainingSettings,
    progress: Progress = silent,
) -> TrainingResult:
    """Trains `model` in place and leaves it with the weights of its best validation, in eval mode.

    batches: endless; each, called, gives the loss of one batch. validate: metrics of the model in eval mode.
    watched: the metric that must grow; after `settings.patience` validations without a new best, training
    stops. The learning rate rises over `warmup_steps` and falls by a cosine to a tenth.

    Raises TrainingError where a loss is not finite.
    """
    optimisers = optimizers(model, settings)
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, _schedule(settings)) for o in optimisers]
    best = TrainingResult(0, {})
    kept: dict[str, Tensor] | None = None
    latest: dict[str, float] = {}
    history: list[tuple[int, dict[str, float]]] = []
    waited = 0
    for step in range(1, settings.max_steps + 1):
        model.train()
        loss = next(batches)()
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        for schedule in schedules:
            schedule.step()
        value = float(loss.detach())
        if value != value or abs(value) == float("inf"):
            raise TrainingError(
                f"the loss of step {step} is {value}; lower learning_rate (now {settings.learning_rate}) or "
                f"embedding_learning_rate (now {settings.embedding_learning_rate})"
            )
        if step % settings.evaluate_every == 0 or step == settings.max_steps:
            model.eval()
            with torch.no_grad():
                latest = validate()
            history.append((step, latest))
            if kept is None or latest[watched] > best.metrics[watched]:
                best, waited = TrainingResult(step, latest), 0
                kept = copy.deepcopy(model.state_dict())
            else:
                waited += 1
        progress(step, settings.max_steps, value, latest)
        if waited >= settings.patience:
            break
    if kept is not None:
        model.load_state_dict(kept)
    model.eval()
    best.history = history
    return best


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
