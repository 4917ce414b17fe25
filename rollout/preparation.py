"""Before traffic: the candidate is loaded next to the stable version, warmed up and compared with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import DependencyError
from rollout.errors import CandidateUnfit, PreparationDelayed
from rollout.guarded_scorer import VersionedScorer
from rollout.overlap import top_k_overlap
from rollout.record import Rollout
from rollout.recorded import Recorded
from rollout.recorded_pages import RecordedPages
from rollout.settings import RolloutSettings
from triton_repo.control import TritonControl
from triton_repo.errors import ModelLoadError, RepositoryError
from triton_repo.manifest import VersionManifest
from triton_repo.pinned import Pinned
from triton_repo.repository import ModelRepository


class Readiness(Protocol):
    """Knows which model versions answer on Triton."""

    async def missing(self, versions: Mapping[str, str]) -> list[str]:
        """Those of `versions` (model → version) that are not ready, named."""
        ...


class CandidateOnTriton:
    """The candidate's version on Triton and in its repository."""

    def __init__(
        self,
        repository: ModelRepository,
        triton_url: str,
        readiness: Readiness,
        scorer: VersionedScorer,
        requests: Callable[[], Sequence[Recorded]],
        settings: RolloutSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`requests`: recent requests of shoppers; `clock`: monotonic seconds."""
        self._repository = repository
        self._triton_url = triton_url
        self._readiness = readiness
        self._scorer = scorer
        self._requests = requests
        self._settings = settings
        self._clock = clock

    def check(self, model: str, candidate: int, dataset: str) -> VersionManifest:
        """The candidate's manifest; blocks for the disk.

        Raises `CandidateUnfit` where the repository does not have the version, or it belongs to another
        data set than `dataset`, whose item ids would mean other items.
        """
        if candidate not in self._repository.versions(model):
            there = ", ".join(map(str, self._repository.versions(model))) or "none"
            raise CandidateUnfit(
                f"{self._repository.models_folder / model} has no version {candidate} (there: {there}); "
                "`shopfront rollout candidate` makes one"
            )
        try:
            manifest = self._repository.manifest(model, candidate)
        except RepositoryError as error:
            raise CandidateUnfit(str(error)) from error
        if manifest.dataset != dataset:
            raise CandidateUnfit(
                f"version {candidate} of {model} was trained on data set {manifest.dataset} and the snapshot "
                f"that serves is made of {dataset}: item ids mean other items; train on {dataset}"
            )
        return manifest

    async def prepare(self, rollout: Rollout) -> str:
        """Loads, warms up and compares the candidate; returns what was found, for a person.

        Where the stable version is lost, neither on Triton nor in the repository, there is nothing to compare
        with, and no other way back to a model than this: the candidate is only tried.

        Raises:
            CandidateUnfit: the rollout must end.
            PreparationDelayed: Triton does not answer, or the stable version, which is in the repository.
        """
        await asyncio.to_thread(self._verify, rollout)
        await self.load(rollout)
        lost = await self._stable_is_missing(rollout)
        return await (self._try_alone(rollout) if lost else self._compare(rollout))

    async def load(self, rollout: Rollout) -> None:
        """Has both versions loaded, but for a stable one that is lost; errors as in `prepare`."""
        if await self._stable_may_return(rollout):
            raise PreparationDelayed(f"version {rollout.stable} of {rollout.model} is not ready on Triton")
        await asyncio.to_thread(self._load, rollout)

    async def missing(self, rollout: Rollout) -> list[str]:
        """Which of the rollout's two versions are not ready, as "bst 3"."""
        return [
            name
            for version in (rollout.stable, rollout.candidate)
            for name in await self._readiness.missing({rollout.model: str(version)})
        ]

    async def _stable_is_missing(self, rollout: Rollout) -> bool:
        return f"{rollout.model} {rollout.stable}" in await self.missing(rollout)

    async def _stable_may_return(self, rollout: Rollout) -> bool:
        """Whether the stable version is not ready and its files are there."""
        if not await self._stable_is_missing(rollout):
            return False
        return rollout.stable in await asyncio.to_thread(self._repository.versions, rollout.model)

    def release(self, model: str, keep: int, named: int) -> None:
        """Has Triton unload every version but `keep`, which serves, though the snapshot names `named`.

        Blocks. Raises `PreparationDelayed` where it cannot.
        """
        try:
            self._repository.pin(model, Pinned((keep,), instead_of=_replaced(named, (keep,))))
            with TritonControl(self._triton_url, self._settings.preparation.load_timeout_s) as control:
                control.load(model)
        except (ModelLoadError, RepositoryError, OSError) as error:
            raise PreparationDelayed(str(error)) from error

    def holder(self, model: str) -> str:
        """The rollout for which versions are pinned; "" where there is none. Blocks for the disk."""
        try:
            pinned = self._repository.pinned(model)
        except RepositoryError as error:
            raise PreparationDelayed(str(error)) from error
        return pinned.holder if pinned is not None else ""

    def _verify(self, rollout: Rollout) -> None:
        self.check(rollout.model, rollout.candidate, rollout.dataset)
        try:
            self._repository.verify(rollout.model, rollout.candidate)
        except RepositoryError as error:
            raise CandidateUnfit(str(error)) from error

    def _load(self, rollout: Rollout) -> None:
        model, both = rollout.model, tuple(sorted({rollout.stable, rollout.candidate}))
        replaced = _replaced(rollout.manifest_version, both)
        try:
            self._repository.pin(model, Pinned(both, (rollout.candidate,), rollout.id, replaced))
        except (RepositoryError, OSError) as error:
            raise PreparationDelayed(str(error)) from error
        with TritonControl(self._triton_url, self._settings.preparation.load_timeout_s) as control:
            try:
                control.load(model)
                control.wait_version(model, rollout.candidate)
            except ModelLoadError as error:
                try:
                    control.ready_versions(model)
                except ModelLoadError as gone:
                    raise PreparationDelayed(str(gone)) from error
                raise CandidateUnfit(str(error)) from error

    def _recent(self) -> Sequence[Recorded]:
        requests = self._requests()
        if not requests:
            raise PreparationDelayed("no request has been seen yet to compare the versions on")
        return requests

    async def _try_alone(self, rollout: Rollout) -> str:
        requests = self._recent()
        scores = [await self._scores(rollout, rollout.candidate, recorded) for recorded in requests]
        if not any(np.ptp(each) > 0 for each in scores):
            raise _no_order(rollout, requests)
        folder = self._repository.version_folder(rollout.model, rollout.stable)
        return (
            f"version {rollout.stable}, which serves, is lost: there is no {folder}; {len(requests)} recent "
            f"requests were scored by version {rollout.candidate} alone, compared with nothing"
        )

    async def _compare(self, rollout: Rollout) -> str:
        requests = self._recent()
        overlaps: list[float] = []
        pages = RecordedPages(self._settings.judge)
        took: dict[int, list[float]] = {rollout.stable: [], rollout.candidate: []}
        spread = {rollout.stable: False, rollout.candidate: False}
        for recorded in requests:
            answers: dict[int, list[NDArray[np.float32]]] = {rollout.stable: [], rollout.candidate: []}
            for version in (rollout.stable, *([rollout.candidate] * self._settings.preparation.rounds)):
                began = self._clock()
                scores = await self._scores(rollout, version, recorded)
                answers[version].append(scores)
                took[version].append((self._clock() - began) * 1000.0)
                spread[version] |= bool(np.ptp(scores) > 0)
            stable, rounds = answers[rollout.stable][0], answers[rollout.candidate]
            overlaps.append(top_k_overlap(stable, rounds[-1], self._settings.judge.overlap.k))
            if np.isfinite(stable).all():
                pages.observe(recorded.query, stable, rounds)
        if spread[rollout.stable] and not spread[rollout.candidate]:
            raise _no_order(rollout, requests)
        if refusal := pages.refusal():
            raise CandidateUnfit(f"version {rollout.candidate}: {refusal}")
        stable_ms, candidate_ms = (float(np.median(took[version])) for version in took)
        return (
            f"{len(requests)} recent requests scored by both: median {candidate_ms:.1f} ms against "
            f"{stable_ms:.1f} ms, {np.mean(overlaps):.0%} of the best {self._settings.judge.overlap.k} in "
            f"common, {pages.found}"
        )

    async def _scores(self, rollout: Rollout, version: int, recorded: Recorded) -> NDArray[np.float32]:
        timeout_s = self._settings.preparation.timeout_ms / 1000.0
        try:
            async with asyncio.timeout(timeout_s):
                scores = await self._scorer.score(
                    recorded.query_for(rollout.model, version), recorded.candidates, timeout_s
                )
        except (DependencyError, TimeoutError) as error:
            reason = str(error) or f"no answer within {timeout_s * 1000:.0f} ms"
            if version == rollout.stable:
                raise PreparationDelayed(f"the stable version does not answer: {reason}") from error
            if await self._stable_may_return(rollout):
                raise PreparationDelayed(f"Triton does not answer: {reason}") from error
            raise CandidateUnfit(f"version {version} fails on a recent request: {reason}") from error
        if version == rollout.candidate and not np.isfinite(scores).all():
            bad = np.count_nonzero(~np.isfinite(scores))
            raise CandidateUnfit(
                f"version {version} returns {bad} of {scores.size} scores of a recent request that are "
                "not finite"
            )
        return scores


def _no_order(rollout: Rollout, requests: Sequence[Recorded]) -> CandidateUnfit:
    return CandidateUnfit(
        f"version {rollout.candidate} gives all candidates of {len(requests)} requests the same score"
    )


def _replaced(named: int, versions: Sequence[int]) -> int:
    """The version that a snapshot names where it is not among those it needs; 0 where it is."""
    return 0 if named in versions else named
