import io

import pytest
from rich.console import Console

from protos.shopfront.v1.recommend_pb2 import (
    SCORE_KIND_ORDER,
    SCORE_KIND_RECALL,
    Reason,
    RecommendedItem,
    RecommendResponse,
    ScoreKind,
)
from shopfront.answer_table import show


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_every_column_shows_at_every_width(width: int) -> None:
    answer = RecommendResponse(
        scene="home",
        model_name="bst",
        model_version="3",
        degraded=["channel:mind"],
        arms={"more-again": "control"},
        items=[
            RecommendedItem(
                item_id="42",
                title="A title that is far longer than any terminal has room for in one of six columns",
                category="Kitchenware and everything that goes with it",
                score=0.1234,
                reasons=[
                    Reason(channel="ranki2i", trigger_item_id="7"),
                    *(Reason(channel=channel) for channel in ("mind", "again", "category_hot", "hot")),
                ],
            )
        ],
    )
    console = Console(width=width, file=io.StringIO())
    show(console, "u1", answer, {"7": "Green tea"})
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for text in ("#", "A title", "Kitchen", "0.1234", "ranki2i", "category_hot", "Green", "u1", "bst 3"):
        assert text in shown
    assert "channel:mind" in shown
    assert "more-again: control" in shown
    assert max(len(line) for line in shown.splitlines()) <= width


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (SCORE_KIND_RECALL, "scored by none (recall order)"),
        (SCORE_KIND_ORDER, "what the router itself computes"),
    ],
)
def test_a_page_without_a_model_says_what_ordered_it(kind: ScoreKind, said: str) -> None:
    console = Console(width=160, file=io.StringIO())
    show(console, "", RecommendResponse(scene="photo_search", score_kind=kind), {})
    assert said in console.file.getvalue()  # type: ignore[attr-defined]
