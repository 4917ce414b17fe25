"""`shopfront plan`, `unplan` and `plans`: exposures promised to items and groups, or withheld from them."""

from __future__ import annotations

import getpass
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.merchandising_commands import (
    Reason,
    Value,
    What,
    ends_at,
    opened_rules,
    print_rules,
    remove_rules,
)
from shopfront.workspace import DEFAULT_FILE

if TYPE_CHECKING:
    from state.merchandising.plan_terms import PlanTerms

app = typer.Typer()


@app.command()
def plan(
    what: What,
    value: Value,
    reason: Reason,
    hours: Annotated[float, typer.Option(min=0.01, help="Hours from its start until it ends.")],
    guarantee: Annotated[int, typer.Option(help="Exposures to be reached; 0 = none.")] = 0,
    cap: Annotated[int | None, typer.Option(help="Exposures at most; default: any number.")] = None,
    starts: Annotated[
        datetime | None, typer.Option(help="Start, UTC; default: now, or as the plan it replaces.")
    ] = None,
    slack: Annotated[
        int | None, typer.Option(help="Exposures under the cap that a replica may show before others know.")
    ] = None,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="As soon as possible, not evenly over the window.")
    ] = False,
    scene: Annotated[str, typer.Option(help="Scene; default: all together.")] = "",
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Plan the exposure of an item, shop, venue or brand: routers keep to it within seconds."""
    from state.merchandising.rules import RulesError

    file, catalogue = opened_rules(data, workspace, config, scene)
    begin = 0 if starts is None else int(starts.replace(tzinfo=UTC).timestamp())
    try:
        rule = file.add(
            "plan",
            what,
            value,
            operator=getpass.getuser(),
            reason=reason,
            scene=scene,
            expires_at=ends_at(begin or time.time(), hours),
            plan=_terms(begin, guarantee, cap, slack, not at_once),
            catalogue=catalogue,
        )
    except RulesError as error:
        raise typer.BadParameter(str(error)) from error
    print_rules([rule], catalogue)


@app.command()
def unplan(
    what: What,
    value: Value,
    reason: Reason,
    scene: Annotated[str | None, typer.Option(help="The plan of this scene; default: every one.")] = None,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """End an exposure plan; its count is lost to a later one."""
    remove_rules("plan", what, value, reason, scene, data, workspace, config)


@app.command()
def plans(
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """List exposure plans with what has been shown under them and what that cost."""
    from features.exposure_pace import due_exposures
    from state.merchandising.rules import RulesError
    from state.registry import open_state

    file, _ = opened_rules(data, workspace, config)
    try:
        rules = [rule for rule in file.list_rules() if rule.plan is not None]
    except RulesError as error:
        raise typer.BadParameter(str(error)) from error
    ends = {rule.id: rule.expires_at for rule in rules if rule.expires_at is not None}
    _, settings = prepared(data, workspace, config)
    store = open_state(settings.router.state)
    try:
        counts = store.exchange_plan_counts("", {}, ends)
    finally:
        store.close()
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("what", "scene", "from", "until"):
        table.add_column(name, overflow="fold")
    for name in ("guarantee", "cap", "due", "shown", "lifted", "score lost"):
        table.add_column(name, justify="right")
    now = int(time.time())
    for rule in rules:
        terms, count, end = rule.plan, counts[rule.id], ends[rule.id]
        if terms is None:
            continue
        table.add_row(
            Text(f"{rule.by} {rule.value}"),
            rule.scene or "all",
            f"{datetime.fromtimestamp(terms.starts_at, UTC):%F %R}",
            f"{datetime.fromtimestamp(end, UTC):%F %R}",
            f"{terms.guarantee:,}" if terms.guarantee else "",
            "" if terms.cap is None else f"{terms.cap:,}",
            f"{due_exposures(terms.guarantee, terms.starts_at, end, terms.even, now):,}",
            f"{count.shown:,}",
            f"{count.lifted:,}",
            f"{count.lost:.4f}",
        )
    console.print(table)


def _terms(starts_at: int, guarantee: int, cap: int | None, slack: int | None, even: bool) -> PlanTerms:
    from pydantic import ValidationError

    from state.merchandising.plan_terms import PlanTerms
    from state.merchandising.rules import explain

    try:
        return PlanTerms(starts_at=starts_at, guarantee=guarantee, cap=cap, slack=slack, even=even)
    except ValidationError as error:
        raise typer.BadParameter(explain(error)) from error
