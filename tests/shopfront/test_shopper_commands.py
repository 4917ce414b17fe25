"""`shopfront shopper` over a workspace, and what the builds after a deletion do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from shopfront.build_steps import Build
from shopfront.deleted_shoppers import data_sets_with_deleted, read_tombstones, remove_with_deleted
from shopfront.ingest_report import ingest_into
from shopfront.progress import Progress
from shopfront.serve import seed_user_state
from shopfront.settings import Settings, load_settings
from shopfront.shopper_commands import app
from shopfront.workspace import DEFAULT_FILE, Workspace
from snapshot.catalogue_writer import link_catalogue
from snapshot.dataset import DatasetStore
from snapshot.manifest import Manifest
from snapshot.store import SnapshotStore
from state.registry import open_state
from testing.synthetic_shop import write_synthetic_shop

pytestmark = pytest.mark.slow

HER = "u0007"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path / "workspace")
    place.make()
    return place


@pytest.fixture
def settings(workspace: Workspace) -> Settings:
    return load_settings(DEFAULT_FILE, workspace)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_synthetic_shop(tmp_path / "data", users=40, items=60, events=2_000, seed=1)
    return tmp_path / "data"


def ingest(workspace: Workspace, data: Path, settings: Settings) -> str:
    return ingest_into(workspace.root, data, settings, Console(file=StringIO())).id


def publish_snapshot(workspace: Workspace, dataset: str) -> str:
    """A snapshot that has nothing but a catalogue."""
    made_from = DatasetStore(workspace.datasets).open(dataset)
    store = SnapshotStore(workspace.snapshots)
    staged = store.stage()
    link_catalogue(made_from.path, staged)
    stones = made_from.manifest.tombstones
    id = store.seal(staged, Manifest(kind="snapshot", dataset=dataset, tombstones=stones))
    store.publish(id)
    return id


@pytest.fixture
def run(workspace: Workspace) -> Callable[..., Result]:
    def command(*arguments: str) -> Result:
        place = ["--workspace", str(workspace.root), "--config", str(DEFAULT_FILE)]
        return CliRunner().invoke(app, [*arguments, *place], env={"COLUMNS": "300"})

    return command


def test_a_shopper_is_deleted_and_gone_from_the_next_build(
    run: Callable[..., Result], workspace: Workspace, data: Path, settings: Settings
) -> None:
    before = ingest(workspace, data, settings)
    snapshot = publish_snapshot(workspace, before)
    seed_user_state(workspace, before, settings.router, lambda done, total: None)

    records = [json.loads(line) for line in run("export", HER).stdout.splitlines()]
    places = [Path(record["place"]).name for record in records]
    assert {"state", "users.parquet", "events.parquet"} == set(places)
    file = workspace.root / "hers.jsonl"
    assert run("export", HER, "--output", str(file)).exit_code == 0
    assert len(file.read_text().splitlines()) == len(records)

    result = run("delete", HER, "--json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert report["found"]
    assert "rows of profiles" in [each["what"] for each in report["removed"]]
    assert [each["place"] for each in report["pending"]] == [
        str(workspace.snapshots / snapshot),
        str(workspace.datasets / before),
    ]

    tombstones = read_tombstones(settings.router.state)
    assert list(data_sets_with_deleted(workspace, tombstones)) == [before]
    build = Build(workspace, settings, data, Progress(Console(quiet=True)))
    assert build._data_inputs(tombstones) != build._data_inputs(
        read_tombstones(
            settings.router.state.model_copy(update={"url": f"lmdb://{workspace.root / 'other'}"})
        )
    )
    # What is published stays until another build is.
    assert remove_with_deleted(workspace, tombstones) == []
    after = ingest(workspace, data, settings)
    publish_snapshot(workspace, after)
    assert remove_with_deleted(workspace, tombstones) == [f"snapshot {snapshot}", f"data set {before}"]
    assert DatasetStore(workspace.datasets).ids() == [after]
    seed_user_state(workspace, after, settings.router, lambda done, total: None)

    assert run("export", HER).stdout == ""
    again = run("delete", HER)
    assert again.exit_code == 0, again.output
    assert "was not known" in again.output
    assert "pending" not in again.output
    assert HER.encode() not in (workspace.state / "data.mdb").read_bytes()


def test_a_data_set_of_before_does_not_bring_the_shopper_back(
    run: Callable[..., Result], workspace: Workspace, data: Path, settings: Settings
) -> None:
    before = ingest(workspace, data, settings)
    assert run("delete", HER).exit_code == 3
    seed_user_state(workspace, before, settings.router, lambda done, total: None)
    store = open_state(settings.router.state)
    try:
        hers, other = asyncio.run(store.read_many([HER, "u0008"]))
    finally:
        store.close()
    assert len(hers.behaviours.items) == len(hers.impressions.items) == len(hers.profile) == 0
    assert len(other.behaviours.items) + len(other.impressions.items)


def test_many_deletions_are_compacted_once(run: Callable[..., Result], workspace: Workspace) -> None:
    for user in ("a", "b"):
        deferred = run("delete", user, "--defer-compaction")
        assert deferred.exit_code == 3
        assert "shopper finish" in deferred.output
    finished = run("finish")
    assert finished.exit_code == 0
    assert "0 deletions were resumed" in finished.output
    assert "freed pages" in finished.output
    assert "freed pages" not in run("finish").output


def test_an_id_that_no_shopper_can_have_is_refused(run: Callable[..., Result]) -> None:
    assert run("delete", "").exit_code != 0
    assert run("export", "x" * 257).exit_code != 0


def test_asking_who_was_deleted_makes_no_store(workspace: Workspace, settings: Settings) -> None:
    assert read_tombstones(settings.router.state).revision == 0
    assert not (workspace.state / "data.mdb").exists()
