"""`shopfront sample-rules`: what each rule on samples would change, and what that is worth."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE

if TYPE_CHECKING:
    from evaluation.sample_rules.training import Counted
    from shopfront.build_steps import Built
    from shopfront.settings import Settings
    from shopfront.workspace import Workspace

app = typer.Typer()


@app.command("sample-rules")
def sample_rules(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Count what each rule on samples weighs, and measure its effect on the last layer's validation.

    A second table counts what each rule would weigh of the takes that each model is trained on.
    """
    from shopfront.build_steps import Build
    from shopfront.progress import Progress
    from shopfront.serve import running_triton

    place, settings = prepared(data, workspace, config, builds=True)
    with place.held("building"):
        progress = Progress(console)
        made = Build(place, settings, data, progress, settings.triton.url or running_triton(place)).run()
        with progress.step("sample rules") as step:
            rows, notes = measured(place, made, settings, step.stage)
        counts = counted(place, made, settings)
    console.print(effects_table(rows, settings.samples.enabled()))
    console.print(counts_table(counts, settings.samples.of_models()))
    for name, note in notes.items():
        console.print(f"{name} weighs nothing: {note}", markup=False, highlight=False)


def measured(
    place: Workspace, made: Built, settings: Settings, progress: Any
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """The rows and notes of `evaluation.sample_effects`, for the scene that the last layer learns of."""
    from evaluation.sample_effects import sample_effects
    from evaluation.sample_rules.window import sample_log
    from router.ranking.logistic.table import NAME
    from shopfront import ranker
    from shopfront.command_end import Refused
    from shopfront.evaluation import checkpoints_of
    from snapshot.dataset import DatasetStore

    dataset = DatasetStore(place.datasets).open(made.dataset, verify=False)
    fitted = ranker.last_layer(place, settings, made.dataset, checkpoints_of(place, made), progress)
    if fitted.sample is None or not fitted.sample.taken.any():
        raise Refused("nobody takes anything in the validation range that the scene recalls")
    begin = dataset.manifest.cuts.valid_from
    return sample_effects(
        sample_log(dataset, begin, begin + fitted.weights.window_days * 86_400),
        fitted.sample,
        fitted.weights.channels,
        getattr(settings.router.tables, NAME),
        settings.samples.sections(),
        settings.evaluation.seed,
    )


def counted(place: Workspace, made: Built, settings: Settings) -> dict[str, dict[str, Counted]]:
    """Rule → model → what the rule alone would weigh of the takes that the model is trained on."""
    from evaluation.sample_rules.training import counted_takes
    from models.registry import MODELS
    from snapshot.dataset import DatasetStore

    taught = {
        name: getattr(settings.models, name).samples.positive_events
        for name, kind in MODELS.items()
        if kind.weighs_takes and name in made.versions
    }
    dataset = DatasetStore(place.datasets).open(made.dataset, verify=False)
    return counted_takes(dataset, settings.samples.sections(), taught)


def counts_table(counts: dict[str, dict[str, Counted]], acting: Collection[str]) -> Table:
    """A line for each rule and a column for each model; a rule that acts on models has a `*`."""
    models = list(next(iter(counts.values()), {}))
    table = Table("rule, takes of models weighed (left out)", *models)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in counts.items():
        cells = [f"{each.weighed:,} ({each.left_out:,}) of {each.takes:,}" for each in row.values()]
        table.add_row(f"{name} *" if name in acting else name, *cells)
    return table


def effects_table(rows: dict[str, dict[str, float]], enabled: tuple[str, ...]) -> Table:
    """A line for each rule; a rule that is on has a `*`."""
    table = Table("rule", *next(iter(rows.values())))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in rows.items():
        values = ["" if math.isnan(value) else _written(column, value) for column, value in row.items()]
        table.add_row(f"{name} *" if name in enabled else name, *values)
    return table


def _written(column: str, value: float) -> str:
    return f"{value:,.0f}" if column in ("takes", "weighed", "left_out") else f"{value:.4f}"
