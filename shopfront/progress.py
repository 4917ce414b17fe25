"""What a person sees while something is built: one line per finished step, a bar for the running one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from shopfront.ingest_report import show_report
from snapshot.manifest import Manifest
from triton_repo.manifest import CandidateRecord


class Step:
    """The running step's bar; its methods are the callbacks of the rooms."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        """Updates the bar `task` of `bars`."""
        self._bars, self._task = bars, task
        self.ended: float | None = None
        """When the step ended, seconds of `time.monotonic`, where it ended before the body does."""

    def stage(self, what: str, share: float) -> None:
        """`what` is under way and `share` (0 to 1) of the step is done."""
        self._bars.update(self._task, completed=share, total=1.0, note=what)

    def counted(self, what: str, done: int, of: int) -> None:
        """`what` is under way and `done` of `of` parts are done."""
        self._bars.update(self._task, completed=done, total=of, note=what)

    def training(self, step: int, steps: int, loss: float, metrics: dict[str, float]) -> None:
        """Training took `step` of `steps`; metrics are those of the last validation."""
        note = f"loss {loss:.3f}" + "".join(f"  {name} {value:.4f}" for name, value in metrics.items())
        self._bars.update(self._task, completed=step, total=steps, note=note)


class Progress:
    """Prints the progress of a build to a console."""

    def __init__(self, console: Console) -> None:
        """Prints to `console`."""
        self.console = console

    @contextmanager
    def step(self, name: str, began: float | None = None) -> Iterator[Step]:
        """A bar while the body runs, and one line with the seconds it took once it is done.

        began: when the step began, seconds of `time.monotonic`; now where None.
        """
        began = monotonic() if began is None else began
        with Bars(
            TextColumn("{task.description:14}"),
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        ) as bars:
            step = Step(bars, bars.add_task(name, total=None, note=""))
            yield step
        ended = monotonic() if step.ended is None else step.ended
        self.console.print(f"[green]✓[/] {name:18} {ended - began:6.1f} s")

    def reused(self, name: str, made: str) -> None:
        """A step whose inputs did not change."""
        self.console.print(f"[green]✓[/] {name:18} [dim]as built before ({escape(made)})[/]")

    def outdated(self, name: str) -> None:
        """A step that ran before on other inputs, and runs again."""
        self.console.print(
            f"  [dim]{name} is built again: its inputs or settings changed, or an earlier version built it[/]"
        )

    def damaged(self, name: str, fault: str) -> None:
        """What a step made before cannot be used any more, and is made again."""
        self.console.print(f"  [yellow]{name} is built again: {escape(fault)}[/]", highlight=False)

    def removed(self, what: str, fault: str) -> None:
        """An old build was removed, because it could not be used any more."""
        self.console.print(f"  [yellow]{what} is removed: {escape(fault)}[/]", highlight=False)

    def not_removed(self, fault: str) -> None:
        """Old builds that should be removed stay."""
        self.console.print(f"  [yellow]old builds are not removed: {escape(fault)}[/]", highlight=False)

    def channel_switched_off(self, channel: str, reason: str) -> None:
        """A recall channel found nothing in the log to recall from."""
        self.console.print(
            f"  [yellow]the recall channel {channel} is switched off: {escape(reason)}[/]", highlight=False
        )

    def objective_switched_off(self, scene: str, objective: str, reason: str) -> None:
        """An objective of a scene's value could not be fitted."""
        self.console.print(
            f"  [yellow]the objective {objective} of scene {scene} is switched off: {escape(reason)}[/]",
            highlight=False,
        )

    def objective_per_take(self, scene: str) -> None:
        """The chance of a click was fitted without impressions."""
        self.console.print(
            f"  the objective click of scene {scene} is a chance per take: the log has too few impressions",
            highlight=False,
        )

    def pictures_unused(self, reason: str) -> None:
        """The items have pictures that are not used."""
        self.console.print(f"  [yellow]pictures are not used: {escape(reason)}[/]", highlight=False)

    def pictures(self, used: int, items: int, encoded: int, groups: int, grouped: int) -> None:
        """Pictures that have vectors, and the groups of nearly identical ones."""
        self.console.print(
            f"  [dim]{used:,} pictures of {items:,} items, {encoded:,} encoded now; {grouped:,} items in "
            f"{groups:,} groups of nearly identical pictures[/]"
        )

    def photos(self, held_out: int, plain: float, trained: float) -> None:
        """How many held-out photos find their item first, in either space."""
        used = "trained" if trained > plain else "principal components"
        self.console.print(
            f"  [dim]of {held_out:,} photos held out, {trained:.0%} find their item first after training by "
            f"the others, {plain:.0%} without; used: {used}[/]"
        )

    def received_pictures(self, put: int, deleted: int, foreign: int, unknown: int) -> None:
        """What arrived and was deleted while the shop was open; nothing where nothing did."""
        if put or deleted:
            self.console.print(
                f"  [dim]{put:,} pictures that were put are in, {deleted:,} deleted are out[/]"
            )
        if foreign:
            self.console.print(
                f"  [yellow]{foreign:,} × put pictures that another encoder encoded: put them again[/]",
                highlight=False,
            )
        if unknown:
            self.console.print(f"  [dim]{unknown:,} × put pictures of items that are not there yet[/]")

    def categories_named(self, categories: int, accuracy: float) -> None:
        """How often the category of a picture held out is named right."""
        self.console.print(
            f"  [dim]of pictures held out, {accuracy:.0%} get the right one of {categories:,} categories[/]"
        )

    def objects_found(self, overlap: float) -> None:
        """How well the surest box of a made-up scene fits a thing in it."""
        self.console.print(
            f"  [dim]things are found in photos: in scenes held out, the surest box overlaps one by "
            f"{overlap:.0%}[/]"
        )

    def refused_pictures(self, reasons: Mapping[str, int]) -> None:
        """Pictures that cannot be used, by reason."""
        for reason, count in reasons.items():
            self.console.print(f"  [yellow]{count:,} × {escape(reason)}[/]", highlight=False)

    def ingested(self, manifest: Manifest) -> None:
        """Alarms, what came in, what was left out and why, and what the data switches off."""
        show_report(self.console, manifest)

    def trained(self, model: str, metrics: dict[str, float]) -> None:
        """The kept weights' metrics on the validation range; nothing of a model that has none."""
        if not metrics:
            return
        shown = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        self.console.print(f"  [dim]{model} on the validation range: {shown}[/]")

    def exported(self, model: str, candidates: Sequence[CandidateRecord]) -> None:
        """One line for each form that was tried: its size, speed, losses, and what became of it."""
        for form in candidates:
            figures = [] if form.bytes is None else [f"{form.bytes / 2**20:.1f} MiB"]
            if form.ratio is not None:
                figures.append(f"{form.ratio:.2f}× float32's speed")
            if form.auc_loss is not None and form.ndcg_50 is not None:
                figures.append(f"AUC loss {form.auc_loss + 0:.5f}  NDCG@50 {form.ndcg_50:.5f}")
            colour = {"served": "green", "passed": "dim", "refused": "yellow"}[form.verdict]
            self.console.print(
                f"  [{colour}]{form.verdict:8}[/][dim]{model} {form.format}: {'  '.join(figures)}"
                + (f" ({escape(form.reason or '')})" if form.verdict == "refused" else "")
                + "[/]"
            )
