"""`shopfront related-words` over a published snapshot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from recall import query_intent
from recall.build import RECALL_FOLDER
from recall.channel import BuildSource
from recall.query_intent_settings import QueryIntentSettings
from shopfront.related_words_command import app
from shopfront.workspace import DEFAULT_FILE
from snapshot.catalogue_writer import link_catalogue
from snapshot.manifest import Manifest
from snapshot.store import SnapshotStore
from testing.synthetic_shop import synthetic_dataset

pytestmark = pytest.mark.slow


def test_words_of_a_search_and_what_is_missing(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        place = ["--workspace", str(tmp_path), "--config", str(DEFAULT_FILE)]
        result = CliRunner().invoke(app, [*arguments, *place], env={"COLUMNS": "200"})
        return result.exit_code, " ".join((result.output + str(result.exception)).split())

    assert "name either --query or --user" in run()[1]
    assert "has no published snapshot" in run("--query", "x")[1]
    dataset = synthetic_dataset(tmp_path)
    snapshots = SnapshotStore(tmp_path / "snapshots")
    without = snapshots.stage()
    link_catalogue(dataset.path, without)
    manifest = Manifest(kind="snapshot", dataset=dataset.manifest.id)
    snapshots.publish(snapshots.seal(without, manifest))
    said = run("--query", "x")[1]
    assert "has no words of searches" in said
    assert "Errno" not in said
    staged = snapshots.stage()
    link_catalogue(dataset.path, staged)
    (staged / RECALL_FOLDER / query_intent.NAME).mkdir(parents=True)
    source = BuildSource(
        dataset.events().collect(), dataset.users(), dataset.catalogue, dataset.manifest.time_range[1], {}, 0
    )
    settings = QueryIntentSettings(dimensions=8, max_pairs=20_000, walks_per_item=2)
    query_intent.build(source, staged / RECALL_FOLDER / query_intent.NAME, settings)
    snapshots.publish(snapshots.seal(staged, manifest))
    (title,) = dataset.catalogue.titles(np.array([1]))
    code, said = run("--query", title, "--words", "3")
    assert code == 0, said
    assert "cosine" in said
    assert "no word is related" in run("--query", "zzzz")[1]
    assert "no word is related" in run("--user", "nobody")[1]
