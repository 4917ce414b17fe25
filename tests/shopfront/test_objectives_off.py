"""A build says which objectives of a scene could not be fitted, and names them in the manifest."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from router.ranking.objectives.fitted import FittedClick, FittedObjectives, FittedPurchase, SceneObjectives
from router.ranking.objectives.table import NAME, OBJECTIVES
from shopfront.progress import Progress
from shopfront.snapshot_build import _objectives_off


def test_what_could_not_be_fitted_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    FittedObjectives(
        scenes={
            "home": SceneObjectives(purchase_given_click=FittedPurchase(off="every take is a purchase")),
            "cart": SceneObjectives(
                click=FittedClick(per="impression"), purchase_given_click=FittedPurchase()
            ),
        }
    ).write(tmp_path / NAME)
    console = Console(file=io.StringIO(), width=200)
    off = _objectives_off(tmp_path, {NAME: OBJECTIVES}, Progress(console))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert off == ["objectives.home.purchase_given_click"]
    assert "purchase_given_click of scene home is switched off: every take is a purchase" in said
    assert "click of scene home is a chance per take" in said
    assert "cart" not in said
    assert _objectives_off(tmp_path, {}, Progress(console)) == []
