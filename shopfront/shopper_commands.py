"""`shopfront shopper`: everything held of a shopper, handed out or deleted, whether or not a router runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopfront.command_end import Refused
from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE, Workspace

if TYPE_CHECKING:
    from server.privacy.report import ErasureReport, ExportedRecord, Pending

app = typer.Typer(no_args_is_help=True, help="A shopper's rights: export and deletion of all that is held.")

User = Annotated[str, typer.Argument(help="The shopper's id.")]


@app.command()
def export(
    user: User,
    output: Annotated[
        Path | None, typer.Option(help="File for the records, one JSON a line; default: standard output.")
    ] = None,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Write everything that is held of a shopper: one record a line, each with its place."""
    import msgspec

    from server.privacy.export import export_shopper
    from server.privacy.places import Places
    from shopfront.shoppers_data_sets import rows_of_shopper
    from snapshot.durable_files import write_durably
    from state.registry import open_state

    _check(user)
    place, settings = prepared(data, workspace, config)
    store = open_state(settings.router.state)
    try:
        records: list[ExportedRecord] = [
            *export_shopper(store, Places.of(settings.router), user),
            *rows_of_shopper(place, user),
        ]
    finally:
        store.close()
    content = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    write_durably(output, content)
    console.print(f"{len(records):,} records in {output}", markup=False, highlight=False)


@app.command()
def delete(
    user: User,
    defer_compaction: Annotated[
        bool,
        typer.Option(
            "--defer-compaction",
            help="Leave the bytes of what is deleted in the store's files until `shopfront shopper finish`: "
            "for many deletions in a row.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Delete everything that is held of a shopper; say what is gone, what is pending and what is not reached.

    Ends with status 3 where something is pending. May be repeated, and resumes what was killed.
    """
    import msgspec

    from server.privacy.erasure import Erasure
    from server.privacy.places import Places
    from state.registry import open_state

    _check(user)
    place, settings = prepared(data, workspace, config)
    store = open_state(settings.router.state)
    try:
        report = Erasure(store, Places.of(settings.router)).delete(user, compact=not defer_compaction)
    finally:
        store.close()
    report = msgspec.structs.replace(report, pending=_pending(place, user, report))
    if json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    else:
        _print(user, report)
    if report.pending:
        raise typer.Exit(3)


@app.command()
def finish(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Resume deletions that were killed, and take the bytes of what was deleted out of the store's files.

    Ends with status 3 where something is still pending.
    """
    from server.privacy.erasure import Erasure
    from server.privacy.places import Places
    from state.registry import open_state

    _, settings = prepared(data, workspace, config)
    store = open_state(settings.router.state)
    try:
        resumed, compaction = Erasure(store, Places.of(settings.router)).finish()
    finally:
        store.close()
    console.print(f"{resumed} deletions were resumed")
    for done in compaction.done:
        _line(done)
    for pending in compaction.pending:
        _line(f"pending: {pending}")
    if compaction.pending:
        raise typer.Exit(3)


def _check(user: str) -> None:
    from snapshot.id_limit import MAX_ID_BYTES

    if not 1 <= len(user.encode()) <= MAX_ID_BYTES:
        raise Refused(f"a shopper's id has 1 to {MAX_ID_BYTES} bytes")


def _pending(place: Workspace, user: str, report: ErasureReport) -> list[Pending]:
    """What is pending, of data sets and snapshots only those that do contain the shopper."""
    from server.privacy.report import Pending
    from shopfront.shoppers_data_sets import data_sets_of

    datasets = data_sets_of(place, user)
    kept = [
        each
        for each in report.pending
        if Path(each.place).parent != place.snapshots or any(id in each.what for id in datasets)
    ]
    return kept + [
        Pending(
            str(place.datasets / id),
            "the shopper's events and profile",
            "the next `shopfront build` (or `run`), which leaves the shopper out and removes this data set",
        )
        for id in datasets
    ]


def _print(user: str, report: ErasureReport) -> None:
    from datetime import UTC, datetime

    until = datetime.fromtimestamp(report.deleted_until_ms / 1_000, UTC)
    found = "was deleted" if report.found else "was not known; anything that is still on its way is not kept"
    _line(f"shopper {user!r} {found}, up to {until:%Y-%m-%d %H:%M:%S} UTC")
    for removed in report.removed:
        _line(f"  removed    {removed.count:,} {removed.what} in {removed.place}")
    for done in report.compacted:
        _line(f"  compacted  {done}")
    for pending in report.pending:
        _line(f"  pending    {pending.what} in {pending.place}: {pending.until}")
    for remaining in report.remaining:
        _line(f"  remains    {remaining.place}: {remaining.what}; {remaining.fate}")


def _line(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
