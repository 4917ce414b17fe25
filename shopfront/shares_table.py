"""How `shopfront shares` shows what it chose."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from evaluation.share_search import HEAD, ChosenShares


def shares_table(chosen: ChosenShares, total: int) -> Group:
    """Each channel with its share and its quality alone, and their fusion, measured on `total` items."""
    table = Table("", "share", f"recall@{total}", f"NDCG@{HEAD}")
    for column in table.columns[1:]:
        column.justify = "right"
    for channel, share in chosen.shares.items():
        alone = chosen.alone[channel]
        table.add_row(channel, f"{share:.3f}", f"{alone.recall:.4f}", f"{alone.ndcg:.4f}")
    table.add_row("fused", "", f"{chosen.fused.recall:.4f}", f"{chosen.fused.ndcg:.4f}")
    lines = [Text("Channels alone, and fused by these shares, on the validation range")]
    if not chosen.head_kept:
        lines.append(
            Text(
                f"No shares that were tried reach the NDCG@{HEAD} of the best channel alone; "
                "floors and ceilings of the scene's fusion may be the reason"
            )
        )
    return Group(*lines[:1], table, *lines[1:])
