"""The share of every batch that one of several workers computes; by default one worker computes all of it.

All workers draw the same batches and negatives from the same seed, compute the loss of their own rows, and
add their gradients up, so that a step is that of one worker with the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")


class BatchShare(Protocol):
    """What one worker computes, and how it meets the others; every worker calls everything in one order."""

    @property
    def rank(self) -> int:
        """Of this worker, 0…workers − 1; the first one validates and writes."""
        ...

    def rows(self, count: int) -> slice:
        """Which rows of a batch of `count` this worker computes; they may be none."""
        ...

    def part(self, mean: Tensor, own: float, whole: float) -> Tensor:
        """What a mean over this worker's rows adds to the mean over the batch.

        mean: float32[]; own, whole: what its rows, and those of the batch, weigh.
        """
        ...

    def begin_step(self, seed: int, step: int) -> None:
        """Before the loss of a step (from 1) is computed; `seed`: of the training."""
        ...

    def summed(self, model: nn.Module, loss: Tensor | None) -> float:
        """Leaves the gradients of the whole batch in `model`; returns its loss.

        loss: float32[], of this worker's rows; None where it has none.
        """
        ...

    def decided(self, decide: Callable[[], dict[str, float]]) -> dict[str, float]:
        """What `decide` returns, which one worker calls for all."""
        ...

    def together(self, read: Callable[[], T]) -> T:
        """What `read` returns; where one worker cannot read, TrainingError names it at all of them."""
        ...

    def kept(self) -> dict[str, Any] | None:
        """What `keep` was given last, before a worker was lost; None at the beginning."""
        ...

    def keep(self, course: Callable[[], dict[str, Any]]) -> None:
        """Keeps how far training is, in one piece or not at all.

        course: tensors, numbers and texts, in lists, tuples and dictionaries.
        """
        ...


@dataclass(frozen=True)
class Alone:
    """One worker, which computes every row."""

    rank: int = 0

    def rows(self, count: int) -> slice:
        """All of them."""
        return slice(0, count)

    def part(self, mean: Tensor, own: float, whole: float) -> Tensor:
        """The mean itself."""
        del own, whole
        return mean

    def begin_step(self, seed: int, step: int) -> None:
        """Leaves random numbers where they are."""

    def summed(self, model: nn.Module, loss: Tensor | None) -> float:
        """The gradients and the value of the loss."""
        del model
        assert loss is not None, "a batch has a row"
        loss.backward()
        return float(loss.detach())

    def decided(self, decide: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Calls it."""
        return decide()

    def together(self, read: Callable[[], T]) -> T:
        """Calls it."""
        return read()

    def kept(self) -> dict[str, Any] | None:
        """None: it begins anew."""
        return None

    def keep(self, course: Callable[[], dict[str, Any]]) -> None:
        """Keeps nothing."""


ALONE = Alone()
