"""Reports of experiments from a workspace's event log: a table, JSON and a picture."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from experiments.configuration import experiments_content
from experiments.load import read_experiments
from experiments.outcomes import Outcomes, read_outcomes
from experiments.report import Report, build_report
from experiments.report_plot import plot_report
from experiments.report_table import report_table
from experiments.settings import ExperimentsFile
from learning.satisfaction.report.guard import GuardedArm, arm_line, guard_arms
from learning.satisfaction.report.ratings import read_ratings
from learning.satisfaction.settings import GuardSettings
from server.settings import RouterSettings
from shopfront.report_files import write_report_files
from state.attribution import AttributionCodec
from state.registry import open_state


class UnknownExperiment(Exception):
    """No experiment of that name is configured or in the log; the message names those that are."""


def make_reports(settings: RouterSettings, name: str | None, after_seq: int = 0) -> list[Report]:
    """A report for each experiment with a logged answer, or for the one called `name`.

    after_seq  events of the log up to this sequence number are left out

    Raises `UnknownExperiment`, `SettingsError` or OSError where the experiments file cannot be read, and
    `StorageError` where the log cannot.
    """
    path = settings.experiments
    configured = read_experiments(experiments_content(path), str(path))
    store = open_state(settings.state)
    try:
        attribution = AttributionCodec.from_settings(settings.attribution)
        outcomes = read_outcomes(store.read_log(after_seq), attribution)
        ratings = read_ratings(lambda: store.read_log(after_seq), attribution)
    finally:
        store.close()
    names = sorted(outcomes.experiments) if name is None else [name]
    if name is not None and name not in outcomes.experiments:
        raise UnknownExperiment(_unknown(name, outcomes, configured))
    warnings = _of_the_log(outcomes)
    reports = []
    for each in names:
        report = build_report(each, outcomes.experiments[each], configured.experiment(each))
        guarded = guard_arms(ratings.rated, each, report.control, settings.satisfaction.guard)
        reports.append(
            msgspec.structs.replace(
                report,
                warnings=(*report.warnings, *warnings, *_unclear(guarded, settings.satisfaction.guard)),
                refused={
                    arm.arm: arm_line(arm, settings.satisfaction.guard)
                    for arm in guarded
                    if arm.verdict == "refused"
                },
            )
        )
    return reports


def _unclear(guarded: Sequence[GuardedArm], settings: GuardSettings) -> list[str]:
    """Arms that may cost more satisfaction than they may."""
    return [
        f"whether {arm.arm} keeps its shoppers satisfied is not clear: {arm_line(arm, settings)}"
        for arm in guarded
        if arm.verdict == "unclear"
    ]


def write_report(report: Report, folder: Path, suffix: str, console: Console) -> None:
    """Prints the table and writes `<experiment>.json` and a picture with `suffix` into the folder."""
    files = folder / f"{report.experiment}.json", folder / f"{report.experiment}{suffix}"
    written = write_report_files(report, *files, plot_report)
    console.print(report_table(report))
    console.print(f"\n{written}\n", markup=False, highlight=False)


def _unknown(name: str, outcomes: Outcomes, configured: ExperimentsFile) -> str:
    if configured.experiment(name) is not None:
        return f"experiment {name} has no answer in the event log yet; is it served, and are there shoppers?"
    known = sorted(outcomes.experiments) or ["none"]
    return f"no experiment {name} is configured or in the event log; in the log are {', '.join(known)}"


def _of_the_log(outcomes: Outcomes) -> list[str]:
    warnings = []
    if outcomes.unreadable:
        warnings.append(
            f"{outcomes.unreadable:,} events have a token that cannot be read here and are left out; the "
            "secret that signed them must be in the environment"
        )
    if outcomes.unpriced:
        warnings.append(f"{outcomes.unpriced:,} purchases have no price and add nothing to the GMV")
    return warnings
