"""A workspace's report of satisfaction: read from its store, printed, written as JSON and picture."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.console import Console

from learning.satisfaction.report.groups import item_groups
from learning.satisfaction.report.plot import plot_satisfaction
from learning.satisfaction.report.ratings import read_ratings
from learning.satisfaction.report.report import SatisfactionReport, build_report
from learning.satisfaction.report.table import satisfaction_table
from server.settings import RouterSettings
from shopfront.report_files import write_report_files
from shopfront.shopper_segments import segments_of
from snapshot.catalogue import Catalogue
from snapshot.manifest import SnapshotError
from snapshot.store import SnapshotStore
from state.attribution import AttributionCodec
from state.registry import open_state


def make_report(settings: RouterSettings, now_ms: int, seed: int) -> SatisfactionReport:
    """The report of the event log's ratings. Raises StorageError where the store cannot be read.

    Args:
        settings: of the router.
        now_ms: unix milliseconds at which the last days end.
        seed: of the bootstrap.
    """
    store = open_state(settings.state)
    try:
        ratings = read_ratings(store.read_log, AttributionCodec.from_settings(settings.attribution))
        shoppers = sorted({rated.user_id for rated in ratings.rated})
        segments = asyncio.run(segments_of(store, shoppers))
    finally:
        store.close()
    items = item_groups(_catalogue(settings.snapshots.folder))
    return build_report(ratings, items, segments, now_ms, settings.satisfaction.alerts, seed)


def write_report(
    report: SatisfactionReport, folder: Path, suffix: str, dimension: str, console: Console
) -> None:
    """Prints the tables, and writes `satisfaction.json` and a picture with `suffix` into the folder."""
    files = folder / "satisfaction.json", folder / f"satisfaction{suffix}"
    written = write_report_files(report, *files, plot_satisfaction)
    console.print(satisfaction_table(report, dimension))
    console.print(f"\n{written}", markup=False, highlight=False)


def _catalogue(folder: Path) -> Catalogue | None:
    try:
        return SnapshotStore(folder).open_current(verify=False).catalogue
    except SnapshotError:
        return None
