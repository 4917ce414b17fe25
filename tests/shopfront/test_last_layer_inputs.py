"""Which scenes' probabilities the step `fit ranker` calibrates, and what makes it run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shopfront import ranker
from shopfront.settings import load_settings
from shopfront.workspace import Workspace

SCENES = """
scenes:
  home:
    channels: {{again: {{}}, hot: {{}}}}
    ranking: {{scorers: {{triton: {{}}, logistic: {{}}}}, merge: {{log_odds: {{}}}}}}
  cart:
    channels: {{{channel}: {{}}}}
    ranking: {{scorers: {{triton: {{}}, logistic: {{}}}}, merge: {{log_odds: {{}}}}}}
    rerank: {{dedup: {{enabled: {dedup}}}}}
  alone: {{channels: {{hot: {{}}}}, ranking: {{scorers: {{logistic: {{}}}}}}}}
  by_model: {{channels: {{hot: {{}}}}}}
  summed:
    channels: {{hot: {{}}}}
    ranking:
      scorers: {{triton: {{}}, logistic: {{}}}}
      merge: {{weighted_sum: {{weights: {{logistic.score: 1.0}}}}}}
  valued:
    channels: {{hot: {{}}}}
    ranking:
      scorers: {{triton: {{}}, logistic: {{}}, objectives: {{}}}}
      merge: {{value: {{weights: {{click: 1.0}}}}}}
  plain: {{channels: {{hot: {{}}}}, ranking: {{enabled: false, scorers: {{logistic: {{}}}}}}}}
"""


def inputs(folder: Path, *, channel: str = "hot", dedup: str = "true") -> dict[str, Any]:
    (folder / "scenes.yaml").write_text(SCENES.format(channel=channel, dedup=dedup))
    (folder / "shopfront.yaml").write_text(f"router: {{scenes: {folder}/scenes.yaml, experiments: null}}\n")
    return ranker.inputs(load_settings(folder / "shopfront.yaml", Workspace(folder / "w")), "data", {})


def test_scenes_that_show_the_probability_are_calibrated_beside_the_one_fitted_on(tmp_path: Path) -> None:
    assert [name for name, _ in inputs(tmp_path)["joined"]] == ["cart", "alone"]


def test_they_are_calibrated_again_where_they_find_others(tmp_path: Path) -> None:
    before = inputs(tmp_path)
    assert inputs(tmp_path) == before
    assert inputs(tmp_path, dedup="false") == before, "rerankers have no part in it"
    assert inputs(tmp_path, channel="ranki2i") != before
