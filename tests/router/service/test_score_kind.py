"""What an answer says of its scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from pipeline.candidates import PROBABILITY, SHOWN, Float32, unscored
from pipeline.plan import Page
from pipeline.stages import NO_MODEL
from protos.shopfront.v1.recommend_pb2 import RecommendResponse, ScoreKind
from router.service.answer import build_response
from snapshot import Catalogue
from tests.recall.small_shop import make_catalogue

VALUES = np.array([0.5, 0.25], np.float32)
OTHER = np.array([0.125, 0.75], np.float32)
LOWER = np.array([0.125, np.nan], np.float32)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("shop"), (1, 1, 2))


def answer(catalogue: Catalogue, score: Float32, columns: Mapping[str, Float32]) -> RecommendResponse:
    """Of a page that no model on Triton scored, as while it is down and in pages about an item."""
    count = len(score)
    items = np.arange(1, count + 1, dtype=np.int32)
    rows = unscored(
        items, np.ones(count, np.uint32), np.full(count, 9, np.float32), np.zeros(count, np.int32)
    )
    page = Page(rows.with_score(score).with_columns(columns), (), [], NO_MODEL)
    return build_response(
        page, catalogue, ("hot",), scene="home", snapshot_id="", request_id="", arms={}, degraded=()
    )


@pytest.mark.parametrize(
    ("score", "columns", "kind", "shown", "values"),
    [
        (VALUES, {PROBABILITY: OTHER}, ScoreKind.SCORE_KIND_PROBABILITY, [0.125, 0.75], [0.5, 0.25]),
        (VALUES, {PROBABILITY: LOWER}, ScoreKind.SCORE_KIND_PROBABILITY, [0.125, 0], []),
        (VALUES, {SHOWN: OTHER}, ScoreKind.SCORE_KIND_ORDER, [0.125, 0.75], [0.5, 0.25]),
        (VALUES, {}, ScoreKind.SCORE_KIND_ORDER, [0.5, 0.25], []),
        (OTHER * np.nan, {}, ScoreKind.SCORE_KIND_RECALL, [9, 9], []),
        (VALUES[:0], {}, ScoreKind.SCORE_KIND_UNSPECIFIED, [], []),
    ],
)
def test_an_answer_says_what_its_scores_are(
    catalogue: Catalogue,
    score: Float32,
    columns: dict[str, Float32],
    kind: ScoreKind,
    shown: list[float],
    values: list[float],
) -> None:
    response = answer(catalogue, score, columns)
    assert response.score_kind == kind
    assert [item.score for item in response.items] == shown
    assert [item.value for item in response.items if item.HasField("value")] == values
