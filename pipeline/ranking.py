"""The stages that score candidates: prerank narrows them, ranking orders them, by one scorer or several."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, cast

import numpy as np

from pipeline.candidates import PROBABILITY, SHOWN, Candidates
from pipeline.contracts import check_merged
from pipeline.deadlines import Cutoffs, abandon
from pipeline.guard import OUTAGES, Outage, bugs_of, record_outage
from pipeline.plan import MergedRanking, Prerank, Ranking
from pipeline.scoring import Scores, order_of, score_in_parts
from pipeline.stages import NO_MODEL, LiveScorer, MergedScore, Model, Scorer
from pipeline.trace import Clock, Trace

Q = TypeVar("Q")


class Scored(NamedTuple, Generic[Q]):
    """Scores of one request and the scorer that gave them, in the version that it had then."""

    scores: Scores
    scorer: Scorer[Q]


@dataclass(slots=True)
class RankingStage(Generic[Q]):
    """Scores the candidates of one request."""

    query: Q
    cutoffs: Cutoffs
    clock: Clock
    trace: Trace

    async def prerank(self, prerank: Prerank[Q], candidates: Candidates, keep: int) -> Candidates:
        """The `keep` best by the light scorer, best first; all, as they came, where it failed or was late."""
        began = self.clock()
        count = len(candidates)
        if count <= keep:
            self.trace.record("prerank", began, count, count, outcome="skipped", detail="all can be ranked")
            return candidates
        scored = await self._scores("prerank", prerank.ranking, candidates, self.cutoffs.prerank, began)
        if scored is None:
            return candidates
        kept = candidates.take(scored.scores.order()[:keep])
        self._record("prerank", began, scored.scores, keep, {"prerank": count - keep})
        return kept

    async def rank(
        self, ranking: Ranking[Q] | MergedRanking[Q], candidates: Candidates
    ) -> tuple[Candidates, Model]:
        """Candidates best first, and the model that ordered them.

        In the order they came, with NO_MODEL, where every scorer failed or was late.
        """
        began = self.clock()
        count = len(candidates)
        if count == 0:
            self.trace.record("ranking", began, 0, 0, outcome="skipped", detail="no candidates")
            return candidates, NO_MODEL
        if isinstance(ranking, MergedRanking):
            return await self._rank_by_several(ranking, candidates, began)
        scored = await self._scores("ranking", ranking, candidates, self.cutoffs.ranking, began)
        if scored is None:
            return candidates, NO_MODEL
        with bugs_of("ranking"):
            model = scored.scorer.model(self.query)
        scores = scored.scores
        ranked = candidates.with_score(scores.values)
        if len(scores.columns) > 1:
            ranked = ranked.with_columns(scores.columns)
        ranked = ranked.take(scores.order())
        self._record("ranking", began, scores, count)
        return ranked, model

    async def _rank_by_several(
        self, ranking: MergedRanking[Q], candidates: Candidates, began: float
    ) -> tuple[Candidates, Model]:
        """As `rank`; a scorer that failed or was late is named in `degraded` and left out of the merge."""
        answers = await self._all_scores(ranking, candidates, began)
        columns = {
            f"{name}.{column}": values
            for name, scored in answers.items()
            for column, values in scored.scores.columns.items()
        }
        stage = f"merge:{ranking.merge.name}"
        merge_began = self.clock()
        with bugs_of(stage):
            merged = ranking.merge.merge(columns) if columns else None
            if merged is not None:
                check_merged(merged, columns, len(candidates))
        if merged is None:
            detail = f"cannot merge {', '.join(columns)}" if columns else "no scorer answered"
            self.trace.record(
                stage, merge_began, len(candidates), len(candidates), outcome="failed", detail=detail
            )
            self.trace.degrade("ranking")
            return candidates.with_columns(columns), NO_MODEL
        scored_by_all = np.logical_and.reduce([scored.scores.scored for scored in answers.values()])
        if merged.probability is not None:
            columns[PROBABILITY] = merged.probability
        if merged.shown is not None:
            columns[SHOWN] = merged.shown
        ranked = (
            candidates.with_score(merged.values)
            .with_columns(columns)
            .take(order_of(merged.values, scored_by_all))
        )
        self.trace.record(stage, merge_began, len(candidates), len(ranked))
        return ranked, self._model(ranking, answers, merged)

    def _model(
        self, ranking: MergedRanking[Q], answers: Mapping[str, Scored[Q]], merged: MergedScore
    ) -> Model:
        """The model of the scorer whose column counts most in the merged score."""
        for name, scored in answers.items():
            if merged.column in (f"{name}.{column}" for column in scored.scores.columns):
                with bugs_of(ranking.stage(name)):
                    return scored.scorer.model(self.query)
        raise AssertionError("the merged column was checked to be one of a scorer's")

    async def _all_scores(
        self, ranking: MergedRanking[Q], candidates: Candidates, began: float
    ) -> dict[str, Scored[Q]]:
        """What each scorer gave, without those that gave nothing; the first bug stops the others."""
        rankings = ranking.rankings
        answers: dict[str, Scored[Q] | None] = dict.fromkeys(rankings)
        tasks = {
            name: asyncio.ensure_future(self._recorded_scores(ranking.stage(name), each, candidates, began))
            for name, each in rankings.items()
            if each.waits
        }
        try:
            if tasks and len(tasks) < len(rankings):
                # The calls of those that wait are under way before the others take the processor.
                await asyncio.sleep(0)
            for name, each in rankings.items():
                if not each.waits:
                    answers[name] = await self._recorded_scores(ranking.stage(name), each, candidates, began)
            await asyncio.gather(*tasks.values())
        finally:
            for task in tasks.values():
                if not task.done():
                    abandon(task)
        answers |= {name: task.result() for name, task in tasks.items()}
        return {name: scored for name, scored in answers.items() if scored is not None}

    async def _recorded_scores(
        self, stage: str, ranking: Ranking[Q], candidates: Candidates, began: float
    ) -> Scored[Q] | None:
        scored = await self._scores(stage, ranking, candidates, self.cutoffs.ranking, began)
        if scored is not None:
            self._record(stage, began, scored.scores, len(candidates))
        return scored

    async def _scores(
        self, stage: str, ranking: Ranking[Q], candidates: Candidates, cutoff: float, began: float
    ) -> Scored[Q] | None:
        """Scores of some of the candidates at least; None, which is recorded, where none came in time."""
        count = len(candidates)
        until = min(began + ranking.timeout_ms / 1000.0, cutoff)
        if until <= began:
            record_outage(self.trace, stage, began, count, Outage("skipped", "no time left"))
            return None
        scorer = self._current(stage, ranking, count, began)
        if scorer is None:
            return None
        scores = await score_in_parts(
            stage,
            scorer,
            ranking.split,
            self.query,
            candidates,
            until,
            self.clock,
            ranking.columns,
            ranking.waits,
        )
        if scores.lost:
            record_outage(self.trace, stage, began, count, Outage(scores.outcome, scores.detail))
            return None
        return Scored(scores, scorer)

    def _current(self, stage: str, ranking: Ranking[Q], count: int, began: float) -> Scorer[Q] | None:
        """The scorer, of a live one the current version; None, which is recorded, where it has none."""
        if not ranking.live:
            return cast(Scorer[Q], ranking.scorer)
        try:
            with bugs_of(stage, apart_from=OUTAGES):
                return cast(LiveScorer[Q], ranking.scorer).current()
        except OUTAGES as error:
            record_outage(self.trace, stage, began, count, Outage("failed", str(error)))
            return None

    def _record(
        self,
        stage: str,
        began: float,
        scores: Scores,
        count_out: int,
        removed: dict[str, int] | None = None,
    ) -> None:
        self.trace.record(stage, began, scores.scored.size, count_out, removed, scores.outcome, scores.detail)
        if scores.outages:
            self.trace.degrade(f"{stage}:partial")
