"""`shopfront build --ray` publishes the snapshot that a build on one machine publishes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from recall.build import RECALL_FOLDER
from shopfront.workspace import PROJECT, Workspace
from snapshot.store import SnapshotStore
from testing.ray_nodes import three_nodes
from testing.synthetic_shop import write_synthetic_shop

SETTINGS = """
models:
  bst: {training: {max_steps: 30, evaluate_every: 15, validation_points: 200}}
  mind: {training: {max_steps: 30, evaluate_every: 15, validation_points: 200}}
jobs: {parts: 4}
"""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def shop_of_parts(root: Path) -> Path:
    """A shop whose events are a folder of three Parquet files."""
    data = root / "data"
    write_synthetic_shop(data, users=60, items=120, events=6_000)
    events = pl.read_csv(data / "events.csv", try_parse_dates=True)
    (data / "events.csv").unlink()
    (data / "events").mkdir()
    for number, part in enumerate(events.iter_slices(2_100)):
        part.write_parquet(data / "events" / f"{number}.parquet")
    (root / "config").mkdir()
    (root / "config" / "shopfront.yaml").write_text(SETTINGS)
    (root / "config" / "scenes.yaml").write_text((PROJECT / "config" / "scenes.yaml").read_text())
    return data


def build(root: Path, workspace: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "shopfront",
        "build",
        "--config",
        str(root / "config" / "shopfront.yaml"),
    ]
    places = ["--data", str(root / "data"), "--workspace", str(root / workspace)]
    return subprocess.run([*command, *places, *options], capture_output=True, text=True, check=False)


def tables(workspace: Path) -> dict[str, bytes]:
    """The files of the recall tables in the published snapshot."""
    folder = SnapshotStore(Workspace(workspace).snapshots).open_current().path / RECALL_FOLDER
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_build_on_nodes_is_that_of_one_machine_and_publishes_nothing_where_a_part_is_torn(
    tmp_path: Path,
) -> None:
    data = shop_of_parts(tmp_path)
    alone = build(tmp_path, "alone")
    assert alone.returncode == 0, alone.stdout + alone.stderr
    with three_nodes() as nodes:
        spread = build(tmp_path, "spread", "--ray", nodes.address)
        assert spread.returncode == 0, spread.stdout + spread.stderr
        assert tables(tmp_path / "spread") == tables(tmp_path / "alone")
        assert not (tmp_path / "spread" / "jobs").exists()

        torn = data / "events" / "1.parquet"
        torn.write_bytes(b"PAR1" + bytes(3_000) + torn.read_bytes()[3_004:])
        failed = build(tmp_path, "torn", "--ray", nodes.address)
        assert failed.returncode == 1
        assert "1.parquet: is no readable Parquet file" in failed.stdout + failed.stderr
        assert SnapshotStore(tmp_path / "torn" / "snapshots").current_id() is None
