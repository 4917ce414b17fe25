"""What a person reads after ingest: alarms, counts, times, and what is switched off."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shopfront.deleted_shoppers import read_tombstones
from shopfront.scene_patch import print_patch
from shopfront.settings import Settings, scene_configuration
from shopfront.shop_report import shop_tables
from snapshot.manifest import Manifest

_BARS = 16
_BAR_WIDTH = 40
_WIDE = 10_000


@dataclass(frozen=True)
class Period:
    """A part of the log's time and the events in it."""

    first: datetime
    events: int


def ingest_into(workspace: Path | None, data: Path | None, settings: Settings, console: Console) -> Manifest:
    """Ingest a shop's folder, or the sample where `data` is None, and print the report.

    Args:
        workspace: folder that gains the data set; None writes it to a temporary folder and removes it.
        data: the shop's folder.
        settings: of the whole application.
        console: where the report goes.

    Returns:
        The data set's manifest.

    Raises:
        IngestError: the files cannot be ingested.
        StorageError: the state does not say which shoppers were deleted.
        SettingsError: the scene configuration, for which settings are proposed, cannot be read.
    """
    from ingest.ingest_folder import ingest_folder, ingest_sample

    tombstones = read_tombstones(settings.router.state)
    with tempfile.TemporaryDirectory(prefix="shopfront-ingest-") as scratch:
        root = workspace or Path(scratch)
        if data is None:
            dataset = ingest_sample(root, settings.ingest, settings.seed, tombstones=tombstones)
        else:
            dataset = ingest_folder(data, root, settings.ingest, settings.seed, tombstones=tombstones)
        show_report(
            console, dataset.manifest, periods(dataset.events().select("ts").collect()["ts"].to_list())
        )
        if dataset.manifest.shop is not None:
            print_patch(console, dataset.manifest.shop, scene_configuration(settings))
        return dataset.manifest


def periods(times: Sequence[int]) -> list[Period]:
    """Part a log's time into equal periods, of whole days where it spans more than two weeks.

    Args:
        times: unix seconds, not empty.
    """
    import numpy as np

    first, last = min(times), max(times)
    width = max(-(-(last - first + 1) // _BARS), 1)
    if last - first > 14 * 86_400:
        width = -(-width // 86_400) * 86_400
        first -= first % 86_400
    counts = np.bincount((np.asarray(times) - first) // width)
    return [Period(datetime.fromtimestamp(first + at * width, UTC), int(n)) for at, n in enumerate(counts)]


def show_report(console: Console, manifest: Manifest, times: Sequence[Period] = ()) -> None:
    """Print the report of a data set.

    Args:
        console: where it goes; texts are wrapped for a terminal only.
        manifest: of the data set.
        times: periods for a histogram; none is printed where empty.
    """
    for alarm in manifest.alarms:
        console.print(Text(f"! {alarm}", style="bold red"), soft_wrap=not console.is_terminal)
    _print(console, _rows(manifest))
    if times:
        _print(console, _histogram(times))
    if manifest.switched_off:
        _print(console, _switched_off(manifest))
    if manifest.shop is not None:
        for table in shop_tables(manifest.shop):
            _print(console, table)


def _print(console: Console, table: Table) -> None:
    if console.is_terminal:
        console.print(table)
    else:
        # A console's own width bounds what it prints, and a log file has none.
        Console(file=console.file, width=_WIDE).print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for position, name in enumerate(columns):
        table.add_column(name, justify="right" if position == 1 else "left", overflow="fold")
    return table


def _rows(manifest: Manifest) -> Table:
    rows = manifest.rows
    table = _table("ingest", "count", "")
    if "events_read" in rows:
        table.add_row("rows of the events file", f"{rows['events_read']:,}", "")
    kinds = ", ".join(
        f"{name.removeprefix('events_')} {count:,}"
        for name, count in rows.items()
        if name.startswith("events_") and name != "events_read" and count
    )
    table.add_row("events kept", f"{rows['events']:,}", kinds)
    first, last = (f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}" for moment in manifest.time_range)
    table.add_row("from", "", f"{first} to {last} (UTC)")
    for kind, described in (("items", "items_without_attributes"), ("users", "users_without_profile")):
        joined = rows[kind] - rows[described]
        detail = f"{rows[f'{kind}_with_events']:,} with events, {joined:,} of all described"
        table.add_row(kind, f"{rows[kind]:,}", detail)
    counts = [
        *(("changed", *pair) for pair in manifest.changed.items()),
        *(
            ("unknown" if reason.endswith("(counts as unknown)") else "left out", reason, count)
            for reason, count in manifest.removed.items()
        ),
    ]
    for label, reason, count in counts:
        if count:
            example = manifest.examples.get(reason)
            detail = f"{reason}; first in {example}" if example else reason
            table.add_row(Text(label, style="yellow"), f"{count:,}", Text(detail))
    return table


def _histogram(times: Sequence[Period]) -> Table:
    table = _table("events from", "count", "")
    most = max(period.events for period in times)
    for period in times:
        bar = "█" * round(_BAR_WIDTH * period.events / most)
        table.add_row(f"{period.first:%Y-%m-%d %H:%M}", f"{period.events:,}", bar)
    return table


def _switched_off(manifest: Manifest) -> Table:
    from ingest.absence_costs import cost_of

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("switched off")
    table.add_column("what that costs", overflow="fold")
    for name in manifest.switched_off:
        table.add_row(Text(name, style="yellow"), cost_of(name))
    return table
