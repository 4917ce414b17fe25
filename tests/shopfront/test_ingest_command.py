"""`shopfront ingest`: the report of a shop's files, alarms first, and what a dry run leaves behind."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from shopfront.ingest_report import periods, show_report
from snapshot.dataset import DatasetStore
from snapshot.manifest import Manifest
from tests.ingest.small_shop import columns, csv_text, write

pytestmark = pytest.mark.slow

SHOP = {
    "events.csv": csv_text(columns(item_id=[f"{200 + row % 4} " for row in range(10)], price=["ask"] * 10)),
    "items.csv": "item_id,brand\nSKU-1,x\n",
}


TILL = """
import polars as pl
from ingest.importers.registry import Importer
from ingest.shop_tables import ShopTables

def read(folder, now):
    rows = range(40)
    return ShopTables("till", pl.DataFrame({
        "user_id": [f"u{row % 5}" for row in rows],
        "item_id": [f"i{row % 7}" for row in rows],
        "event": pl.Series([5] * 40, dtype=pl.UInt8),
        "ts_ms": [1_700_000_000_000 + row * 7_200_000 for row in rows],
    }))

IMPORTERS = {"till": Importer(lambda folder: (folder / "till.dat").exists(), read, "till.dat")}
"""


def shopfront(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shopfront", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_dry_run_reports_and_keeps_nothing(tmp_path: Path) -> None:
    data, workspace = write(tmp_path / "shop", SHOP), tmp_path / "workspace"
    done = shopfront("ingest", "--data", data, "--workspace", workspace, "--dry-run")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    alarms = [line for line in lines if line.startswith("! ")]
    assert lines[: len(alarms)] == alarms
    assert "! none of the 4 items in events is in items.csv; are these the same ids?" in alarms
    for part in (
        "rows of the events file     10",
        "events kept                 10  purchase 10",
        "2024-02-29 09:46 to 2024-03-02 06:46",
        "blanks around item_id taken off; first in row 2: 999 ",
        "price cannot be read (counts as unknown); first in row 2: aaa",
        "█",
        "every item counts as in stock, so sold-out items are recommended",
        "nothing was kept",
    ):
        assert part in done.stdout
    assert not (workspace / "datasets").exists()


def test_without_dry_run_the_data_set_is_published(tmp_path: Path) -> None:
    data, workspace = write(tmp_path / "shop", SHOP), tmp_path / "workspace"
    done = shopfront("ingest", "--data", data, "--workspace", workspace)
    assert done.returncode == 0, done.stderr
    assert DatasetStore(workspace / "datasets").open_current().manifest.rows["events"] == 10


def test_log_formats_of_plugins_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "shop", {"till.dat": "made by a till"})
    (tmp_path / "till_parts.py").write_text(TILL)
    config = tmp_path / "shopfront.yaml"
    config.write_text(f"plugins: [till_parts]\nrouter: {{scenes: {os.getcwd()}/config/scenes.yaml}}\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.getcwd()}")
    done = shopfront("ingest", "--data", data, "--dry-run", "--config", config)
    assert done.returncode == 0, done.stderr
    assert re.search(r"events kept +40 +purchase 40", done.stdout), done.stdout
    config.write_text("plugins: [till_parts]\n")
    done = shopfront("ingest", "--data", data, "--dry-run", "--config", config)
    assert "scenes.yaml is refused:" in done.stderr
    assert "set router.scenes, where a relative path" in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", ["no[/such]", "[red]shop"])
def test_an_error_is_one_line_whatever_its_text(tmp_path: Path, name: str) -> None:
    done = shopfront("ingest", "--data", tmp_path / name, "--workspace", tmp_path / "workspace", "--dry-run")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_the_report_is_not_cut_or_wrapped_without_a_terminal() -> None:
    reason = "events.csv: " + "very " * 30 + "long reason"
    rows = {
        "events": 1, "items": 1, "items_with_events": 1, "items_without_attributes": 1, "users": 1,
        "users_with_events": 1, "users_without_profile": 1,
    }  # fmt: skip
    alarm = "loud [and] " + "clear " * 40 + "end"
    manifest = Manifest(kind="dataset", rows=rows, removed={reason: 3}, alarms=[alarm])
    output = StringIO()
    show_report(Console(file=output, width=80), manifest)
    lines = output.getvalue().splitlines()
    assert lines[0] == f"! {alarm}"
    assert any(reason in line for line in lines)


def test_periods_cover_the_log_and_lose_no_event() -> None:
    day = 86_400
    for times in ([5], [0, 1], [0, 3_600, 7_200], [day * number + 7 for number in range(60)]):
        parts = periods(times)
        assert sum(part.events for part in parts) == len(times)
        assert len(parts) <= 31
    months = periods([day * number + 7 for number in range(60)])
    assert {part.first.hour for part in months} == {0}
