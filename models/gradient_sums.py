"""Training by several processes that add up their gradients (`torch.distributed`).

Dense gradients are summed as one vector. Of a table with sparse gradients only the rows of the batch travel:
each worker's rows reach every other, and are added in the order of the workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup

from models.training_loop import TrainingError
from snapshot.durable_files import sync_folder

T = TypeVar("T")
_STEPS, _WORKERS = 2**24, 2**12
"""Bounds of what a seed of dropout is made of."""


@dataclass(frozen=True)
class GroupShare:
    """One worker of a process group, as `models.batch_share.BatchShare`.

    Attributes:
        group: of the workers.
        rank: of this one.
        workers: how many there are.
        file: what `keep` writes, in a folder that every worker reads.
        place: where this worker runs, for people.
        faults: what is wrong with the data, not with the program.
    """

    group: ProcessGroup
    rank: int
    workers: int
    file: Path
    place: str
    faults: tuple[type[Exception], ...]

    def rows(self, count: int) -> slice:
        """Rows one after the other, for each worker as many as for the others or one more."""
        return slice(self.rank * count // self.workers, (self.rank + 1) * count // self.workers)

    def part(self, mean: Tensor, own: float, whole: float) -> Tensor:
        """The mean by the share of its weight; losses and gradients of the workers are added."""
        return mean * (own / max(whole, 1e-6))

    def begin_step(self, seed: int, step: int) -> None:
        """Seeds dropout, by step and worker: what is drawn does not depend on whether a worker was lost."""
        torch.manual_seed((seed * _STEPS + step) * _WORKERS + self.rank)

    def summed(self, model: nn.Module, loss: Tensor | None) -> float:
        """Adds up gradients and losses of all workers."""
        if loss is not None:
            loss.backward()
        tables = [each.weight for each in model.modules() if isinstance(each, nn.Embedding) and each.sparse]
        sparse = {id(weight) for weight in tables}
        dense = [each for each in model.parameters() if each.requires_grad and id(each) not in sparse]
        there = torch.tensor([float(each.grad is not None) for each in dense])
        value = torch.zeros(1) if loss is None else loss.detach().reshape(1)
        grads = [torch.zeros_like(each) if each.grad is None else each.grad for each in dense]
        sums = torch.cat([each.reshape(-1) for each in (*grads, there, value)])
        self.group.allreduce([sums]).wait()
        *summed, used, total = sums.split([*(each.numel() for each in dense), len(dense), 1])
        for weight, gradient, workers in zip(dense, summed, used.tolist(), strict=True):
            # What no worker used has no gradient, and does not decay.
            weight.grad = gradient.reshape(weight.shape) if workers else None
        for table in tables:
            table.grad = self._summed_rows(table)
        return float(total)

    def _summed_rows(self, weight: Tensor) -> Tensor | None:
        """The rows of all workers' gradients of a table; None where none has any."""
        own = None if weight.grad is None else weight.grad.coalesce()
        rows = torch.empty(0, dtype=torch.int64) if own is None else own.indices()[0]
        values = weight.new_empty((0, weight.shape[1])) if own is None else own.values()
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.workers)]
        self.group.allgather([lengths], [torch.tensor([len(rows)])]).wait()
        most = int(max(lengths))
        if not most:
            return None
        all_rows = [torch.empty(most, dtype=torch.int64) for _ in lengths]
        all_values = [weight.new_empty((most, weight.shape[1])) for _ in lengths]
        missing = most - len(rows)
        self.group.allgather([all_rows], [nn.functional.pad(rows, (0, missing))]).wait()
        self.group.allgather([all_values], [nn.functional.pad(values, (0, 0, 0, missing))]).wait()
        found = [(r[:n], v[:n]) for r, v, n in zip(all_rows, all_values, map(int, lengths), strict=True)]
        rows, values = (torch.cat(each) for each in zip(*found, strict=True))
        return torch.sparse_coo_tensor(rows[None], values, weight.shape, check_invariants=False).coalesce()

    def decided(self, decide: Callable[[], dict[str, float]]) -> dict[str, float]:
        """The first worker decides; the numbers reach the others with all their digits."""
        found = list(decide().items()) if self.rank == 0 else []
        (names,) = self._texts("\n".join(name for name, _ in found))[:1]
        values = torch.zeros(len(names.split("\n")), dtype=torch.float64)
        if self.rank == 0:
            values = torch.tensor([value for _, value in found], dtype=torch.float64)
        self.group.allreduce([values]).wait()
        return dict(zip(names.split("\n"), values.tolist(), strict=True))

    def together(self, read: Callable[[], T]) -> T:
        """Reads; raises TrainingError at every worker where one cannot."""
        made: T | None = None
        fault = ""
        try:
            made = read()
        except self.faults as error:
            fault = f"worker {self.rank + 1} of {self.workers} on {self.place}: {error}"
        found = [each for each in self._texts(fault) if each]
        if found:
            raise TrainingError("; ".join(found))
        return made  # type: ignore[return-value]  # no fault: it was read

    def _texts(self, own: str) -> list[str]:
        """The texts of all workers, in their order."""
        content = torch.tensor(list(own.encode()), dtype=torch.uint8)
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.workers)]
        self.group.allgather([lengths], [torch.tensor([len(content)])]).wait()
        most = max(1, int(max(lengths)))
        found = [torch.empty(most, dtype=torch.uint8) for _ in lengths]
        self.group.allgather([found], [nn.functional.pad(content, (0, most - len(content)))]).wait()
        return [
            bytes(each[: int(length)].tolist()).decode() for each, length in zip(found, lengths, strict=True)
        ]

    def kept(self) -> dict[str, Any] | None:
        """What the first worker wrote last; nothing in the file is executed."""
        if not self.file.is_file():
            return None
        course: dict[str, Any] = torch.load(self.file, weights_only=True)
        return course

    def keep(self, course: Callable[[], dict[str, Any]]) -> None:
        """The first worker writes it under another name, flushes and renames it."""
        if self.rank:
            return
        staged = self.file.with_suffix(".new")
        with staged.open("wb") as file:
            torch.save(course(), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, self.file)
        sync_folder(self.file.parent)
