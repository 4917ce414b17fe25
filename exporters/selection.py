"""Which form of a model is served: each is written, compared, judged and timed beside float32."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx

from exporters.errors import ExportRefused
from exporters.formats import FLOAT32, FORMATS, REWRITES
from exporters.graph_files import load_graph, save_graph
from exporters.graph_rewrite import GraphRewrite, InTurn, NotApplicable
from exporters.input_cases import InputCase
from exporters.parity import ParityReport, check_parity
from exporters.quality import QualityReport, answers, judge, losses
from exporters.ranking_sample import RankingSample
from exporters.runner import Feeds, Runner
from exporters.settings import ExportSettings
from exporters.speed import measure_in_turns, relative_speeds
from triton_repo.contract import CANDIDATES, Contract
from triton_repo.manifest import CandidateRecord


@dataclass(frozen=True, slots=True)
class Trial:
    """What the forms are tried on.

    calibration: real inputs; cases: inputs on which every form is compared with torch (`reference`);
    sample: what quality is judged by; requests: what is timed, of one size.
    """

    contract: Contract
    reference: Runner
    calibration: Sequence[InputCase]
    cases: Sequence[InputCase]
    sample: RankingSample
    requests: Sequence[Feeds]


@dataclass(frozen=True, slots=True)
class Selection:
    """The form to serve, its folder, its agreement with torch, and a record of every form tried."""

    format: str
    folder: Path
    parity: ParityReport
    candidates: tuple[CandidateRecord, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """A form that was written and agrees with torch."""

    folder: Path
    run: Runner
    parity: ParityReport
    bytes: int


def select(trial: Trial, float32: Path, scratch: Path, settings: ExportSettings) -> Selection:
    """Tries `settings.formats` in their order, the plainest first, and picks one.

    float32: folder of the float32 form, which every other is a rewrite of and is measured against;
    scratch: folder to write the others into. A form that fails a gate is recorded, never picked. Raises
    ExportRefused where none passes.
    """
    made: dict[tuple[GraphRewrite, ...], onnx.ModelProto] = {(): load_graph(float32)}
    refused: dict[str, str] = {}
    forms: dict[str, _Form] = {FLOAT32: _opened(trial, float32, settings.tolerance)}
    others = [name for name in settings.formats if name != FLOAT32]
    for done, name in enumerate(others):
        folder = scratch / name
        folder.mkdir(parents=True)
        try:
            save_graph(_rewritten(name, trial, made), folder)
            forms[name] = _opened(trial, folder, settings.quantised_tolerance)
        except (NotApplicable, ExportRefused) as reason:
            refused[name] = str(reason)
        _forget(made, others[done + 1 :])
    reports = _qualities(trial, forms)
    speeds = _speeds(trial, forms, settings.speed_rounds)
    for name in forms:
        reasons = _failures(name, reports.get(name), settings)
        if reasons:
            refused[name] = "; ".join(reasons)
    picked, passed = _pick(settings.formats, forms, speeds, refused, settings)
    tried = [name for name in settings.formats if name in forms or name in refused]
    records = tuple(
        _record(name, picked, passed, refused, forms.get(name), reports.get(name), speeds.get(name), trial)
        for name in tried
    )
    if picked is None:
        raise ExportRefused(
            f"no form of {trial.contract.model} passed: "
            + ". ".join(f"{record.format}: {record.reason}" for record in records)
        )
    return Selection(picked, forms[picked].folder, forms[picked].parity, records)


def timed_requests(
    contract: Contract, sample: RankingSample, candidates: int, requests: int = 8
) -> Sequence[Feeds]:
    """Up to `requests` of the sample's lists as one shopper's calls with that many candidates each.

    A list that is shorter repeats its candidates. Empty where the sample has no list.
    """
    return tuple(
        {
            tensor.name: np.resize(feeds[tensor.name], (candidates, *feeds[tensor.name].shape[1:]))
            if tensor.shape[:1] == ("n",)
            else feeds[tensor.name]
            for tensor in contract.tensors.inputs
        }
        for feeds in sample.lists[:requests]
    )


def _rewritten(
    name: str, trial: Trial, made: dict[tuple[GraphRewrite, ...], onnx.ModelProto]
) -> onnx.ModelProto:
    """The graph of a form; `made` holds the graphs of all steps taken so far, by those steps."""
    steps = _steps(name)
    for count, step in enumerate(steps):
        if steps[: count + 1] not in made:
            made[steps[: count + 1]] = step.rewrite(made[steps[:count]], trial.contract, trial.calibration)
    return made[steps]


def _steps(name: str) -> tuple[GraphRewrite, ...]:
    rewrite = REWRITES[name]
    return rewrite.steps if isinstance(rewrite, InTurn) else (rewrite,)


def _forget(made: dict[tuple[GraphRewrite, ...], onnx.ModelProto], forms: Sequence[str]) -> None:
    """Drops the graphs that none of these forms is made from: each holds the tables of all items."""
    needed = {steps[:count] for steps in map(_steps, forms) for count in range(len(steps))}
    for steps in [steps for steps in made if steps not in needed]:
        del made[steps]


def _opened(trial: Trial, folder: Path, tolerance: float) -> _Form:
    run = FORMATS[FLOAT32].open(folder, trial.contract)
    parity = check_parity(trial.contract.model, trial.reference, run, trial.cases, tolerance)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return _Form(folder, run, parity, size)


def _qualities(trial: Trial, forms: Mapping[str, _Form]) -> dict[str, QualityReport]:
    """Reports of every form; none where there is nothing to judge by."""
    if not trial.sample:
        return {}
    scored = {name: answers(form.run, trial.sample) for name, form in forms.items()}
    return {name: judge(trial.sample, scored[FLOAT32], found) for name, found in scored.items()}


def _speeds(trial: Trial, forms: Mapping[str, _Form], rounds: int) -> dict[str, tuple[float, float]]:
    """Candidates per second, and times the speed of float32, of every form."""
    spent = measure_in_turns({name: form.run for name, form in forms.items()}, trial.requests, rounds=rounds)
    return relative_speeds(spent, FLOAT32, len(trial.requests[0][CANDIDATES]))


def _failures(name: str, report: QualityReport | None, settings: ExportSettings) -> Sequence[str]:
    if name == FLOAT32:
        return ()
    if report is None:
        return ("the validation range holds no labelled candidates to judge its quality by",)
    return losses(report, maximum_auc_loss=settings.maximum_auc_loss, minimum_ndcg=settings.minimum_ndcg)


def _pick(
    formats: Sequence[str],
    forms: Mapping[str, _Form],
    speeds: Mapping[str, tuple[float, float]],
    refused: Mapping[str, str],
    settings: ExportSettings,
) -> tuple[str | None, dict[str, str]]:
    """The form to serve, and of every form that passed the reason why it is served or not.

    Of the forms that are not slower than the fastest by `minimum_gain` the plainest is served, the first in
    `formats`, unless others are `memory_factor` times as small: then the plainest of these, and on.
    """
    passed = [name for name in formats if name not in refused]
    if not passed:
        return None, {}
    fastest = max(passed, key=lambda name: speeds[name][1])
    lag = {name: speeds[fastest][1] / speeds[name][1] for name in passed}
    fast = [name for name in passed if lag[name] < settings.minimum_gain]
    served = fast[0]
    while leaner := [
        name for name in fast if forms[name].bytes * settings.memory_factor <= forms[served].bytes
    ]:
        served = leaner[0]
    reasons = {}
    for name in passed:
        smaller = forms[name].bytes / forms[served].bytes
        if name == served:
            reasons[name] = "the plainest of the forms that are about as fast and small as any that passed"
        elif name not in fast:
            reasons[name] = f"{fastest} is {lag[name]:.2f} times as fast"
        elif smaller >= settings.memory_factor:
            reasons[name] = f"{served} is {smaller:.2f} times as small and about as fast"
        else:
            reasons[name] = f"about as fast and small as {served}, which was preferred by the order tried"
    return served, reasons


def _record(
    name: str,
    picked: str | None,
    passed: Mapping[str, str],
    refused: Mapping[str, str],
    form: _Form | None,
    report: QualityReport | None,
    speed: tuple[float, float] | None,
    trial: Trial,
) -> CandidateRecord:
    record = CandidateRecord(
        format=name,
        verdict="served" if name == picked else "refused" if name in refused else "passed",
        reason=refused.get(name) or passed[name],
    )
    if form is not None and speed is not None:
        record = msgspec.structs.replace(
            record,
            bytes=form.bytes,
            max_abs=form.parity.max_abs,
            rows_per_s=speed[0],
            ratio=speed[1],
            candidates=len(trial.requests[0][CANDIDATES]),
        )
    if report is not None:
        record = msgspec.structs.replace(
            record,
            auc=_number(report.auc),
            auc_loss=_number(report.auc_loss),
            ndcg_50=_number(report.ndcg),
        )
    return record


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if value == value else None
