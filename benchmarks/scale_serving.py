"""The steps of growing a shop that serve it: its snapshot is opened, its state filled, its router loaded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.scale_measured import resident_mib, taken
from benchmarks.scale_place import Figures, Place, StepResult, mib
from snapshot.store import SnapshotStore

SCENE = "home"


def open_snapshot(place: Place) -> StepResult:
    """Opens the channels and tables of the snapshot, as a replica does, and verifies its files."""
    from recall.build import RECALL_FOLDER, open_channels
    from recall.channel import Services
    from router.scenes.components import registered_tables
    from router.tables.files import TABLES_FOLDER, open_tables

    recall, tables = place.settings().router.recall, place.settings().router.tables
    before, began = resident_mib(), time.monotonic()
    snapshot = SnapshotStore(place.workspace.snapshots).open_current(verify=False)
    services = Services(model=lambda name: _no_model)
    held = (
        open_channels(snapshot.path / RECALL_FOLDER, snapshot.catalogue, services, recall),
        open_tables(
            registered_tables(), snapshot.path / TABLES_FOLDER, snapshot.catalogue, tables.sections()
        ),
    )
    figures = {"open seconds": time.monotonic() - began, "open mib": resident_mib() - before}
    began = time.monotonic()
    SnapshotStore(place.workspace.snapshots).open_current(verify=True)
    return [len(part) for part in held], figures | {"verify seconds": time.monotonic() - began}


async def _no_model(*given: Any) -> Any:
    raise AssertionError("opening a channel calls no model")


def fill_state(place: Place) -> StepResult:
    """Writes the histories of all shoppers into an empty store."""
    from shopfront.serve import seed_user_state

    with taken() as all:
        seed_user_state(place.workspace, place.dataset(), place.settings().router, lambda done, of: None)
    return None, all.written("state") | {"state mib": mib(place.workspace.state)}


def serve(place: Place) -> StepResult:
    """Serves the workspace behind HAProxy and loads it by one caller and by eight at once."""
    import tempfile

    from benchmarks.closed_loop import Plan, drive_in_process
    from benchmarks.contestants import processes_of
    from benchmarks.memory_growth import held_by_kind
    from benchmarks.patient_settings import patient_settings
    from shopfront.serve import serving
    from snapshot.dataset import DatasetStore

    dataset = DatasetStore(place.workspace.datasets).open(place.dataset(), verify=False)
    users = dataset.users()["user_id"].sample(min(2_000, dataset.users().height), seed=1).to_list()
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="scale-") as scratch:
        settings = patient_settings(place.settings(), Path(scratch), "haproxy")
        began = time.monotonic()
        with serving(place.workspace, settings, print) as served:
            figures["serve start seconds"] = time.monotonic() - began
            for callers in (1, 8):
                plan = Plan(served.address, SCENE, users, callers, place.order.requests)
                drive_in_process(plan, Path(scratch))
                outcome = drive_in_process(plan, Path(scratch))
                if outcome.errors:
                    raise RuntimeError(f"requests failed: {outcome.errors}")
                figures |= {
                    f"{callers} callers p50 ms": outcome.p50_ms,
                    f"{callers} callers p99 ms": outcome.p99_ms,
                    f"{callers} callers requests/s": outcome.per_second,
                    f"{callers} callers degraded": float(sum(outcome.degraded.values())),
                }
            held = held_by_kind(processes_of(served))
            replicas = len(served.router.replica_pids())
            figures["replica mib"] = held["replicas"].resident_mib / replicas
            figures["replica own mib"] = held["replicas"].anonymous_mib / replicas
            figures["service mib"] = sum(each.resident_mib for each in held.values())
    return None, figures
