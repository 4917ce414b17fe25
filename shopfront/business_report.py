"""A workspace's report of how the shop does: read from its store, printed, written as JSON."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from rich.console import Console

from experiments.business.activity import read_activity
from experiments.business.report import BusinessReport, build_report
from experiments.business.table import business_table
from server.settings import RouterSettings
from shopfront.shopper_segments import segments_of
from state.attribution import AttributionCodec
from state.registry import open_state


def make_report(settings: RouterSettings, since_ms: int) -> BusinessReport | None:
    """The report of the event log from a unix millisecond on; None where it holds nothing then.

    Raises StorageError where the store cannot be read.
    """
    store = open_state(settings.state)
    try:
        codec = AttributionCodec.from_settings(settings.attribution)
        activity = read_activity(store.read_log(), codec, since_ms)
        if not activity.shopper.size:
            return None
        return build_report(activity, asyncio.run(segments_of(store, activity.shoppers)))
    finally:
        store.close()


def write_report(report: BusinessReport, folder: Path, console: Console) -> None:
    """Prints the tables and writes `business.json` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "business.json"
    unfinished = data.with_suffix(".json.part")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    unfinished.replace(data)
    console.print(business_table(report))
    console.print(f"\nwritten to {data}", markup=False, highlight=False)
