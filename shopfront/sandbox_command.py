"""`shopfront sandbox`: tests a change on recorded requests, before any shopper sees it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shopfront.command_end import Refused
from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE

if TYPE_CHECKING:
    from evaluation.sandbox.replay import Contender
    from evaluation.sandbox.sandbox import Findings
    from foundation.verdicts.verdict import Subject
    from shopfront.sandbox import Sandbox

app = typer.Typer()


@app.command()
def sandbox(
    scene: Annotated[
        str, typer.Option(help="Scene that --patch changes, or that --version is tested in.")
    ] = "",
    patch: Annotated[
        str, typer.Option(help="JSON Merge Patch of the scene, as JSON or YAML; @file reads a file.")
    ] = "",
    version: Annotated[int, typer.Option(min=0, help="Version of the ranking model to test.")] = 0,
    experiment: Annotated[
        str, typer.Option(help="Test every arm of this experiment that changes something.")
    ] = "",
    requests: Annotated[
        Path | None, typer.Option(help="Recording to replay; default: the router's, recording.folder.")
    ] = None,
    off_policy: Annotated[
        bool,
        typer.Option(
            "--off-policy", help="Estimate clicks from slots drawn at random (exploration, feature_log) too."
        ),
    ] = False,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Test a channel, ranker or setting on recorded requests; the verdict can be required (router.sandbox).

    Ends with status 1 where the test is failed. Runs beside a router, which is not asked.
    """
    from evaluation.sandbox.sandbox import run_sandbox, write_verdict
    from shopfront.progress import Progress
    from shopfront.sandbox import Sandbox
    from shopfront.sandbox_table import print_tested
    from state.registry import open_state

    if sum((bool(patch), bool(version), bool(experiment))) != 1:
        raise Refused("name what is tested, by one of --patch, --version and --experiment")
    if patch and not scene:
        raise Refused("name the scene that the patch changes: --scene home")
    place, settings = prepared(data, workspace, config, builds=True)
    bounds, progress = settings.evaluation.sandbox, Progress(console)
    failed = False
    store = open_state(settings.router.state)
    try:
        opened = Sandbox.open(place, settings, store)
        for subject, contender, scenes in _subjects(opened, scene, patch, version, experiment):
            recorded = opened.recorded(requests, scenes)
            drawn = opened.draws(scenes[0]) if off_policy else None
            with progress.step(f"test {subject.scene or subject.model}") as step:
                tested: Findings = run_sandbox(
                    subject,
                    recorded,
                    drawn,
                    opened.present,
                    contender,
                    bounds,
                    progress=partial(step.counted, "pages"),
                )
            print_tested(console, tested, bounds.level)
            path = write_verdict(tested.verdict, settings.router.sandbox.folder)
            console.print(f"written to {path}", markup=False, highlight=False)
            failed |= not tested.verdict.passed
    finally:
        store.close()
    if failed:
        raise typer.Exit(1)


def _subjects(
    opened: Sandbox, scene: str, patch: str, version: int, experiment: str
) -> list[tuple[Subject, Contender, list[str]]]:
    """What is tested, by what engine, in which scenes."""
    from shopfront.settings import main_scene

    if version:
        return [(*opened.version(version), [scene or main_scene(opened.settings)[0]])]
    if patch:
        return [(*opened.patched(scene, _patch(patch)), [scene])]
    arms = opened.of_experiment(experiment)
    if not arms:
        raise Refused(f"no arm of {experiment} changes anything, so there is nothing to test")
    return [
        (*opened.patched(each, changes), [each]) for each, _, changes in arms if not scene or each == scene
    ]


def _patch(text: str) -> dict[str, Any]:
    from router.scenes.yaml_tree import YamlError, parse

    try:
        content = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
        tree = parse(content)
    except (OSError, UnicodeDecodeError, YamlError) as error:
        raise Refused(f"--patch cannot be read: {error}") from error
    if not isinstance(tree, dict) or not tree:
        raise Refused("--patch must be a mapping of scene keys, such as {channels: {again: {share: 0.8}}}")
    return tree
