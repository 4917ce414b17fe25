"""Workers that share every batch learn what one learns, also after one of them was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributed import HashStore, ProcessGroupGloo

from models.batch_share import ALONE, BatchShare
from models.bst_settings import BstNetworkSettings
from models.gradient_sums import GroupShare
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.kind import profile_counts
from models.mind_settings import MindNetworkSettings
from models.settings import SampleSettings, TrainingSettings
from models.train_bst import train_bst
from models.train_mind import train_mind
from models.training_loop import Progress, TrainingError, TrainingResult, silent
from snapshot.dataset import Dataset
from testing.synthetic_shop import synthetic_dataset

WORKERS = 2
BST = BstNetworkSettings(dimension=16, heads=2, feed_forward=32, hidden=(32, 16), dropout=0, id_dropout=0)
MIND = MindNetworkSettings(dimension=16, interests=2, shared_negatives=64, id_dropout=0, separation=0.1)
# The last batch of a pass has one point: one of the workers has no row of it.
SAMPLES = SampleSettings(positives=4, negatives=8, max_points=3 * 64 + 1)
TRAINING = TrainingSettings(batch_size=64, max_steps=8, evaluate_every=4, validation_points=50)
Train = Callable[[BatchShare, Progress], tuple[nn.Module, TrainingResult]]


@dataclass(frozen=True)
class InTurn(GroupShare):
    """A worker in a thread: one at a time draws its first weights, from the process's random numbers."""

    turn: threading.Lock
    all_there: threading.Barrier

    def kept(self) -> dict[str, object] | None:
        """As `GroupShare`, which training asks once the weights are there."""
        found = super().kept()
        self.turn.release()
        self.all_there.wait(60)
        return found


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return synthetic_dataset(tmp_path_factory.mktemp("shop"), users=60, items=100, events=4_000)


@pytest.fixture(scope="module", params=["bst", "mind"])
def train(request: pytest.FixtureRequest, dataset: Dataset) -> Train:
    random = np.random.default_rng(3)
    weights = random.choice([0.0, 0.5, 1.0], dataset.events().collect().height)
    log = InteractionLog.from_dataset(dataset, weights=weights)
    features, cuts = ItemFeatures.from_catalogue(dataset.catalogue), dataset.manifest.cuts

    def run(share: BatchShare, progress: Progress) -> tuple[nn.Module, TrainingResult]:
        if request.param == "bst":
            counts = profile_counts(dataset)
            return train_bst(log, features, counts, cuts, BST, SAMPLES, TRAINING, progress, share)
        return train_mind(log, features, cuts, MIND, SAMPLES, TRAINING, progress, share)

    return run


def shares(folder: Path, workers: int = WORKERS) -> list[InTurn]:
    store, turn, all_there = HashStore(), threading.Lock(), threading.Barrier(workers)

    def joined(rank: int) -> InTurn:
        group = ProcessGroupGloo(store, rank, workers, timedelta(seconds=60))
        file = folder / "course.pt"
        return InTurn(group, rank, workers, file, f"node {rank}", (ValueError,), turn, all_there)

    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(joined, range(workers)))


def together(train: Train, members: list[InTurn], progress: Progress = silent) -> list[nn.Module]:
    def run(share: InTurn) -> nn.Module:
        share.turn.acquire()
        return train(share, progress)[0]

    with ThreadPoolExecutor(len(members)) as threads:
        return list(threads.map(run, members))


def test_two_workers_learn_the_weights_of_one(train: Train, tmp_path: Path) -> None:
    alone, result = train(ALONE, silent)
    losses: list[tuple[float, dict[str, float]]] = []
    first, second = together(
        train, shares(tmp_path), lambda step, of, loss, metrics: losses.append((loss, metrics))
    )
    for name, expected in alone.state_dict().items():
        torch.testing.assert_close(first.state_dict()[name], expected, atol=1e-4, rtol=1e-4)
        assert torch.equal(first.state_dict()[name], second.state_dict()[name]), name
    assert result.metrics == pytest.approx(losses[-1][1], abs=0.02)
    # Every worker is told the loss of the whole batch.
    assert len({loss for loss, _ in losses}) == TRAINING.max_steps


class Lost(Exception):
    pass


def test_training_goes_on_from_the_last_validation_after_a_loss(train: Train, tmp_path: Path) -> None:
    for name in ("undisturbed", "disturbed"):
        (tmp_path / name).mkdir()
    (undisturbed,) = together(train, shares(tmp_path / "undisturbed", workers=1))
    lost_at, seen = TRAINING.evaluate_every + 2, []

    def lose(step: int, of: int, loss: float, metrics: dict[str, float]) -> None:
        seen.append(step)
        if step == lost_at and seen.count(step) == 1:
            raise Lost

    with pytest.raises(Lost):
        together(train, shares(tmp_path / "disturbed", workers=1), lose)
    (resumed,) = together(train, shares(tmp_path / "disturbed", workers=1), lose)
    assert seen == [*range(1, lost_at + 1), *range(TRAINING.evaluate_every + 1, TRAINING.max_steps + 1)]
    for name, expected in undisturbed.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], expected), name


def test_a_worker_that_cannot_read_is_named_at_all_of_them(tmp_path: Path) -> None:
    members = shares(tmp_path)

    def read(share: InTurn) -> str:
        def torn() -> str:
            if share.rank == 1:
                raise ValueError("events.parquet cannot be read")
            return "read"

        with pytest.raises(TrainingError) as fault:
            share.together(torn)
        return str(fault.value)

    with ThreadPoolExecutor(WORKERS) as threads:
        found = set(threads.map(read, members))
    assert found == {"worker 2 of 2 on node 1: events.parquet cannot be read"}
    assert [share.together(lambda: 3) for share in shares(tmp_path, workers=1)] == [3]
