"""Opens registered scorers; a live one is opened once per process and shared by all scenes and snapshots."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel

from pipeline.stages import LiveScorer, Scorer
from recall.query import Query
from router.ranking.registry import SCORERS
from router.ranking.scorer_kind import ScorerContext


class ScorerOpener:
    """Opens the scorers of a process."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        self._live: dict[tuple[str, str], LiveScorer[Query]] = {}

    def open(
        self, name: str, settings: BaseModel, context: ScorerContext
    ) -> Scorer[Query] | LiveScorer[Query]:
        """The registered scorer `name` with `settings`; errors as of its `ScorerKind.open`."""
        kind = SCORERS[name]
        if kind.version_source == "snapshot":
            return kind.open(context, settings)
        key = name, settings.model_dump_json()
        if key not in self._live:
            opened: Any = kind.open(context, settings)
            self._live[key] = cast(LiveScorer[Query], opened)
        return self._live[key]
