"""`shopfront block`, `pin`, `unblock`, `unpin` and `blocks`: a merchandiser's rules, which routers follow."""

from __future__ import annotations

import getpass
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE

if TYPE_CHECKING:
    from shopfront.settings import Settings
    from snapshot.catalogue import Catalogue
    from state.merchandising.rules import Action, BusinessRule
    from state.merchandising.rules_file import BusinessRulesFile

app = typer.Typer()

_HOUR_S = 3_600
_MOST_HOURS = 876_000
"""A hundred years."""
What = Annotated[str, typer.Argument(help="item, brand, category or another item column of groups.")]
Value = Annotated[str, typer.Argument(help="The shop's item id, or the group's name.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the rule and in the audit log.")]
Alert = Annotated[
    str,
    typer.Option(help="Only in cities with this alert, such as haze; default: everywhere, always."),
]
Hours = Annotated[float | None, typer.Option(help="Hours until it expires; default: never.")]


@app.command()
def block(
    what: What,
    value: Value,
    reason: Reason,
    scene: Annotated[str, typer.Option(help="Scene; default: all.")] = "",
    hours: Hours = None,
    alert: Alert = "",
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Block an item, brand or category: running routers stop showing it within seconds."""
    _add("block", what, value, reason, scene, None, hours, alert, data, workspace, config)


@app.command()
def pin(
    what: What,
    value: Value,
    scene: Annotated[str, typer.Option(help="Scene.")],
    position: Annotated[int, typer.Option(help="Slot; the first is 1.")],
    reason: Reason,
    hours: Hours = None,
    alert: Alert = "",
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Pin an item, or the best candidate of a brand or category, to a slot of a scene."""
    _add("pin", what, value, reason, scene, position, hours, alert, data, workspace, config)


@app.command()
def unblock(
    what: What,
    value: Value,
    reason: Reason,
    scene: Annotated[str | None, typer.Option(help="The block of this scene; default: every one.")] = None,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """End a block."""
    remove_rules("block", what, value, reason, scene, data, workspace, config)


@app.command()
def unpin(
    what: What,
    value: Value,
    reason: Reason,
    scene: Annotated[str | None, typer.Option(help="The pin of this scene; default: every one.")] = None,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """End a pin."""
    remove_rules("pin", what, value, reason, scene, data, workspace, config)


@app.command()
def blocks(
    scene: Annotated[str, typer.Option(help="Rules of this scene and of all; default: every one.")] = "",
    expired: Annotated[bool, typer.Option("--expired", help="Those too that no longer hold.")] = False,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """List blocks, pins and exposure plans."""
    from state.merchandising.rules import RulesError

    file, catalogue = opened_rules(data, workspace, config)
    try:
        rules = file.list_rules(scene, expired=expired)
    except RulesError as error:
        raise typer.BadParameter(str(error)) from error
    print_rules(rules, catalogue)
    console.print(f"{file.path}, changes in {file.audit_path.name}", markup=False, highlight=False)


def _add(
    action: Action,
    what: str,
    value: str,
    reason: str,
    scene: str,
    position: int | None,
    hours: float | None,
    alert: str,
    data: Path | None,
    workspace: Path | None,
    config: Path,
) -> None:
    from state.merchandising.rules import RulesError

    file, catalogue = opened_rules(data, workspace, config, scene, alert)
    try:
        rule = file.add(
            action,
            what,
            value,
            operator=getpass.getuser(),
            reason=reason,
            scene=scene,
            position=position,
            expires_at=None if hours is None else ends_at(time.time(), hours),
            alert=alert,
        )
    except RulesError as error:
        raise typer.BadParameter(str(error)) from error
    print_rules([rule], catalogue)


def ends_at(begin: float, hours: float) -> int:
    """The unix second `hours` after `begin`. Raises typer.BadParameter unless 0 < hours <= 876,000."""
    if not 0 < hours <= _MOST_HOURS:
        raise typer.BadParameter(
            f"must be above 0 and at most {_MOST_HOURS:,}, is {hours:g}", param_hint="'--hours'"
        )
    return int(begin + hours * _HOUR_S)


def remove_rules(
    action: Action,
    what: str,
    value: str,
    reason: str,
    scene: str | None,
    data: Path | None,
    workspace: Path | None,
    config: Path,
) -> None:
    """Ends the rules of an action about something, and prints them. Raises typer.BadParameter."""
    from state.merchandising.rules import RulesError

    file, _ = opened_rules(data, workspace, config)
    try:
        removed = file.remove(action, what, value, operator=getpass.getuser(), reason=reason, scene=scene)
    except RulesError as error:
        raise typer.BadParameter(str(error)) from error
    if not removed:
        raise typer.BadParameter(f"there is no {action} of the {what} {value!r}")
    console.print(f"ended {len(removed)}:", highlight=False)
    print_rules(removed, None)


def opened_rules(
    data: Path | None, folder: Path | None, config: Path, scene: str = "", alert: str = ""
) -> tuple[BusinessRulesFile, Catalogue | None]:
    """The file that the workspace's routers follow, and the catalogue published, None before a build.

    Raises typer.BadParameter where no file is configured, its folder does not exist, so that no router
    follows it, or no scene or alert can have the name that a new rule gives.
    """
    from snapshot.manifest import SnapshotError
    from snapshot.store import SnapshotStore
    from state.merchandising.rules_file import BusinessRulesFile

    place, settings = prepared(data, folder, config)
    path = settings.router.business_rules
    if path is None:
        raise typer.BadParameter("router.business_rules is null: name a file there, which routers follow")
    if not path.parent.is_dir():
        raise typer.BadParameter(
            f"{path.parent} does not exist, so no router follows rules there: name the workspace that is "
            "served with --workspace or --data, or build it first"
        )
    if scene:
        _require_scene(scene, settings)
    if alert:
        _require_alert(alert, settings)
    try:
        catalogue = SnapshotStore(place.snapshots).open_current(verify=False).catalogue
    except SnapshotError:
        catalogue = None
    return BusinessRulesFile(path, time.time), catalogue


def _require_scene(scene: str, settings: Settings) -> None:
    from shopfront.settings import scene_configuration

    known = scene_configuration(settings).by_name
    if scene not in known:
        raise typer.BadParameter(f"no scene {scene} is configured; name one of {', '.join(known)}")


def _require_alert(alert: str, settings: Settings) -> None:
    """Raises where no feed is configured; says so where only the feed itself can give the alert."""
    environment = settings.router.environment
    if not environment.configured:
        raise typer.BadParameter(
            "no feed raises alerts: router.environment.file and url are null", param_hint="'--alert'"
        )
    if alert not in environment.alerts:
        console.print(
            f"{alert} is none of router.environment.alerts ({', '.join(environment.alerts)}): the rule holds "
            "only where the feed itself gives that alert",
            markup=False,
            highlight=False,
        )


def print_rules(rules: Sequence[BusinessRule], catalogue: Catalogue | None) -> None:
    """Prints rules as a table, and how many of them wait for a snapshot that has what they are about.

    Args:
        rules: in the order of the table.
        catalogue: of the published snapshot; None: nothing is said of what it has, as of ended rules.
    """
    from state.merchandising.resolve import unknown_rules

    unknown = set() if catalogue is None else {rule.id for rule in unknown_rules(rules, catalogue)}
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("rule", "what", "scene", "slot", "alert", "until", "by", "reason"):
        table.add_column(name, overflow="fold")
    for rule in rules:
        what = f"{rule.by} {rule.value}" + (" (unknown)" if rule.id in unknown else "")
        until = "" if rule.expires_at is None else f"{datetime.fromtimestamp(rule.expires_at, UTC):%F %R} UTC"
        slot = "" if rule.position is None else str(rule.position)
        table.add_row(
            rule.action,
            Text(what),
            rule.scene or "all",
            slot,
            Text(rule.alert),
            until,
            Text(rule.operator),
            Text(rule.reason),
        )
    console.print(table)
    if unknown:
        console.print(
            f"{len(unknown)} of {len(rules)} about what the published snapshot does not have: accepted, and "
            "in force once one has it",
            style="yellow",
            highlight=False,
        )
