"""What `shopfront shares` prints."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from evaluation.share_search import ChosenShares, ListQuality
from shopfront.shares_table import shares_table


def printed(chosen: ChosenShares) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(shares_table(chosen, 200))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("head_kept", [True, False])
def test_every_channel_has_a_row_and_a_spoiled_head_is_said(head_kept: bool) -> None:
    alone = {"again": ListQuality(0.31, 0.35), "hot": ListQuality(0.2, 0.1)}
    text = printed(ChosenShares({"again": 1.0, "hot": 0.0}, ListQuality(0.4, 0.34), alone, head_kept))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]
    assert rows == [
        ["again", "1.000", "0.3100", "0.3500"],
        ["hot", "0.000", "0.2000", "0.1000"],
        ["fused", "", "0.4000", "0.3400"],
    ]
    assert ("No shares that were tried reach the NDCG@10" in text) is not head_kept
