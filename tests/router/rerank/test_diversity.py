"""MMR as a reranker: by scores where there are some, gentler by places where nothing was scored."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from pipeline.candidates import Float32, unscored
from router.rerank.registry import RERANKERS
from router.tables.component import Parts

CATEGORY = np.array([0, 1, 1, 1, 2], np.int32)
"""Of items 1 to 4, which are the candidates, best first."""
SCORES = np.array([0.9, 0.88, 0.87, 0.86], np.float32)


def ordered(score: Float32 | None, **settings: object) -> list[int]:
    kind = RERANKERS["mmr"]
    columns = SimpleNamespace(column={"category": CATEGORY}.__getitem__)
    wanted = kind.settings.model_validate({"alike": {"category": 1.0}, **settings})
    stage = kind.create(Parts(columns, {}), wanted)
    items = np.arange(1, 5, dtype=np.int32)
    candidates = unscored(items, np.ones(4, np.uint32), np.ones(4, np.float32), items * 0)
    if score is not None:
        candidates = candidates.with_score(score)
    return stage.order(None, candidates, 4).tolist()


def test_a_page_that_nothing_scored_has_its_own_tradeoff() -> None:
    for score in (None, np.full(4, 0.5, np.float32), np.append(SCORES[:3], np.float32(np.nan))):
        assert ordered(score, tradeoff=0.5, unscored_tradeoff=1.0) == [0, 1, 2, 3]
        assert ordered(score, tradeoff=1.0, unscored_tradeoff=0.5) == [0, 3, 1, 2]


def test_scores_are_weighed_by_the_tradeoff() -> None:
    assert ordered(SCORES, tradeoff=1.0, unscored_tradeoff=0.5) == [0, 1, 2, 3]
    assert ordered(SCORES, tradeoff=0.3, unscored_tradeoff=1.0) == [0, 3, 1, 2]
