"""`shopfront title-tags`: how well selling points of titles are found, by each form of tagger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from shopfront.command_end import Refused
from shopfront.command_options import Config, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE

app = typer.Typer()


@app.command("title-tags")
def title_tags(
    data: Annotated[Path, typer.Option(help="Folder with the shop's file tagged_titles.")],
    form: Annotated[
        list[str] | None, typer.Option(help="Form of the tagger; may be given several times. Default: every.")
    ] = None,
    title: Annotated[
        list[str] | None, typer.Option(help="Tag this title too, by the last form; several times.")
    ] = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Train taggers of selling points on a shop's tagged titles and print F1 on titles held out, by kind."""
    from ingest.findings import Findings
    from ingest.tagged_titles_file import read_tagged_titles
    from recall.titles.settings import TitleTaggerSettings
    from recall.titles.tagger import learn_tagger

    every = get_args(TitleTaggerSettings.model_fields["form"].annotation)
    unknown = [name for name in form or () if name not in every]
    if unknown:
        raise Refused(f"--form must be one of {', '.join(every)}, got {unknown[0]}")
    if not data.is_dir():
        raise Refused(f"{data}: is no folder; name the folder with the shop's files")
    _, settings = prepared(data, workspace, config)
    findings = Findings()
    tagged = read_tagged_titles(data, findings)
    for reason, rows in findings.removed.items():
        console.print(Text(f"left out: {rows:,} × {reason}"))
    if tagged is None:
        raise Refused("; ".join(findings.alarms) or f"{data} has no file tagged_titles")
    chosen = settings.router.recall.item_units.tagger
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("form", "kind", "tagged", "found", "precision", "recall", "F1"):
        table.add_column(name, justify="left" if name in ("form", "kind") else "right")
    for name in form or every:
        try:
            tagger = learn_tagger(tagged, chosen.model_copy(update={"form": name}), settings.seed)
        except ValueError as error:
            raise Refused(str(error)) from error
        for kind, counts in tagger.agreement.items():
            rates = (f"{rate:.3f}" for rate in (counts.precision, counts.recall, counts.f1))
            sizes = (f"{count:,}" for count in (counts.tagged, counts.found))
            table.add_row(Text(name), Text(kind or "all"), *sizes, *rates)
    console.print(f"{tagger.learned:,} titles learned, {tagger.held_out:,} held out", highlight=False)
    console.print(table)
    for text, points in zip(title or (), tagger.points(title or ()), strict=True):
        found = ", ".join(f"{words} ({kind})" for kind, words in points)
        console.print(Text(f"{text}: {found or 'nothing'}"))
