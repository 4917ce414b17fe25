"""The preparation of a candidate whose stable version does not answer: to wait for it, or to do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from models.contracts import contracts
from pipeline.candidates import Candidates, unscored
from pipeline.stages import DependencyError, Model
from recall.query import Query
from rollout import preparation
from rollout.errors import CandidateUnfit, PreparationDelayed
from rollout.preparation import CandidateOnTriton
from rollout.record import Rollout
from rollout.recorded import Recorded
from rollout.settings import RolloutSettings
from testing.triton_models import add_tiny_version
from tests.rollout.plans import started
from tests.router.ranking.queries import query
from triton_repo.repository import ModelRepository
from triton_repo.settings import ModelSettings

REQUEST = Recorded(
    query(),
    unscored(
        np.arange(1, 9, dtype=np.int32), np.ones(8, np.uint32), np.ones(8, np.float32), np.zeros(8, np.int32)
    ),
)


@dataclass
class Triton:
    """Versions of `bst` that are loaded, as its control, its readiness and its scorer see them."""

    repository: ModelRepository
    loaded: set[int] = field(default_factory=set)
    failing: bool = False
    constant: bool = False

    def control(self, url: str, timeout_s: float) -> Triton:
        return self

    def __enter__(self) -> Triton:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""

    def load(self, model: str) -> None:
        pinned = self.repository.pinned(model)
        assert pinned is not None
        self.loaded = set(pinned.versions) & set(self.repository.versions(model))

    def wait_version(self, model: str, version: int) -> None:
        assert version in self.loaded

    async def missing(self, versions: Mapping[str, str]) -> list[str]:
        return [f"{name} {version}" for name, version in versions.items() if int(version) not in self.loaded]

    def model(self, query: Query) -> Model:
        return Model("bst", query.model_versions["bst"])

    async def score(
        self, query: Query, candidates: Candidates, timeout_s: float | None = None
    ) -> NDArray[np.float32]:
        version = int(query.model_versions["bst"])
        if version not in self.loaded or self.failing:
            raise DependencyError(f"bst version {version} is not served")
        count = len(candidates)
        return (
            np.full(count, 0.5, np.float32)
            if self.constant
            else np.linspace(0.1, 0.9, count, dtype=np.float32)
        )


@dataclass
class Shop:
    """Versions 1 and 2 in a repository, and a rollout that leads from 1 to 2."""

    repository: ModelRepository
    triton: Triton
    candidate: CandidateOnTriton
    rollout: Rollout

    def lose_stable(self) -> None:
        self.repository.refuse("bst", 1)
        self.triton.loaded.discard(1)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    repository = ModelRepository(tmp_path / "triton", contracts())
    for seed in (1, 2):
        add_tiny_version(repository, "bst", seed)
    repository.configure({"bst": ModelSettings()})
    triton = Triton(repository, {1})
    monkeypatch.setattr(preparation, "TritonControl", triton.control)
    rollout = started().record.rollout
    assert rollout is not None
    return Shop(
        repository,
        triton,
        CandidateOnTriton(repository, "nowhere", triton, triton, lambda: [REQUEST], RolloutSettings()),
        msgspec.structs.replace(rollout, dataset=repository.manifest("bst", 2).dataset),
    )


async def test_both_versions_are_compared(shop: Shop) -> None:
    assert "scored by both" in await shop.candidate.prepare(shop.rollout)


async def test_a_stable_version_that_is_on_disk_is_waited_for(shop: Shop) -> None:
    shop.triton.loaded.clear()
    with pytest.raises(PreparationDelayed, match="version 1 of bst is not ready on Triton"):
        await shop.candidate.prepare(shop.rollout)


async def test_a_stable_version_that_is_lost_is_done_without(shop: Shop) -> None:
    shop.lose_stable()
    found = await shop.candidate.prepare(shop.rollout)
    assert found.startswith("version 1, which serves, is lost: there is no ")
    assert "scored by version 2 alone" in found
    assert shop.triton.loaded == {2}


async def test_a_candidate_that_fails_alone_is_refused(shop: Shop) -> None:
    shop.lose_stable()
    shop.triton.failing = True
    with pytest.raises(CandidateUnfit, match="version 2 fails on a recent request"):
        await shop.candidate.prepare(shop.rollout)


async def test_a_candidate_without_an_order_is_refused_alone_too(shop: Shop) -> None:
    shop.lose_stable()
    shop.triton.constant = True
    with pytest.raises(CandidateUnfit, match="the same score"):
        await shop.candidate.prepare(shop.rollout)
