"""The sandbox test: pages made again, checked, and put into a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import EvaluationError
from evaluation.sandbox.checks import click_checks, page_checks
from evaluation.sandbox.comparison import Comparison, compare
from evaluation.sandbox.groups import GroupRow
from evaluation.sandbox.logged_draws import LoggedDraws
from evaluation.sandbox.recorded_pages import RecordedPages
from evaluation.sandbox.replay import Contender
from evaluation.sandbox.settings import SandboxSettings
from evaluation.sandbox.target_policy import fidelity, replay_draws, with_rewards
from foundation.statistics.grouped_ratio import Interval
from foundation.statistics.off_policy import Estimates, estimate
from foundation.verdicts.verdict import Subject, Verdict, encoded
from snapshot.durable_files import write_durably

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ClickEstimates:
    """Off-policy estimates, and how far the draws can be trusted.

    fidelity     share of the draws whose logged probability the replay gives again
    unsupported  share of the target policy's draws that the present policy could not make
    """

    estimates: Estimates
    draws: int
    unseen: int
    fidelity: float
    unsupported: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found of one subject; `clicks` is None where off-policy estimates were not asked for."""

    comparison: Comparison
    clicks: ClickEstimates | None
    verdict: Verdict


def run_sandbox(
    subject: Subject,
    recorded: RecordedPages,
    drawn: LoggedDraws | None,
    present: Contender,
    tested: Contender,
    settings: SandboxSettings,
    now: datetime | None = None,
    progress: Progress = lambda done, of: None,
) -> Findings:
    """Tests one subject.

    Args:
        subject: what differs between the two contenders.
        recorded: pages of the subject's scenes.
        drawn: logged draws of its scene; None = no off-policy estimates.
        present: as it serves.
        tested: with the subject.
        settings: bounds of the checks.
        now: when; default: the present.
        progress: receives pages made, and of how many.

    Raises:
        EvaluationError: too few pages were recorded, or the scene of the draws does not explore.
        StageBug: a stage has a bug.
    """
    if len(recorded.pages) < settings.least_pages:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(recorded.left_out.items()))
        raise EvaluationError(
            f"{len(recorded.pages)} pages were recorded of what is tested, and {settings.least_pages} are "
            f"needed (evaluation.sandbox.least_pages){f'; left out: {reasons}' if reasons else ''}. Record "
            "requests: recording.enabled"
        )
    comparison = asyncio.run(compare(recorded.pages, present, tested, settings, progress))
    checks = page_checks(recorded, comparison, settings)
    clicks = None
    if drawn is not None:
        clicks = _clicks(drawn, present, tested, settings)
        checks += click_checks(clicks.estimates, clicks.fidelity, clicks.unsupported, settings)
    return Findings(
        comparison,
        clicks,
        Verdict(
            subject=subject,
            passed=all(check.outcome != "fail" for check in checks),
            checks=checks,
            made_at=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
            snapshot=present.engine.snapshot_id,
            figures=_figures(comparison, clicks, recorded, settings),
        ),
    )


def write_verdict(verdict: Verdict, folder: Path) -> Path:
    """Writes the verdict into the folder, over an earlier one of the same subject. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / verdict.subject.file_name
    write_durably(path, encoded(verdict))
    return path


def _clicks(
    drawn: LoggedDraws, present: Contender, tested: Contender, settings: SandboxSettings
) -> ClickEstimates:
    scene = drawn.pages[0].page.scene
    if present.engine.scenes[scene].exploration is None:
        raise EvaluationError(
            f"scene {scene} does not explore now, so that its draws cannot be replayed: set exploration as "
            "it was when they were logged"
        )
    draws = asyncio.run(replay_draws(drawn.pages, present, tested))
    found = estimate(with_rewards(draws, settings.seed), settings.level)
    return ClickEstimates(
        found,
        len(draws),
        drawn.unseen,
        fidelity(draws),
        float(np.mean([draw.unsupported for draw in draws])),
    )


def _figures(
    found: Comparison, clicks: ClickEstimates | None, recorded: RecordedPages, settings: SandboxSettings
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "pages": found.pages,
        "left_out": dict(recorded.left_out),
        "seed": settings.seed,
        "empty": _pair(found.empty),
        "degraded": _pair(found.degraded),
        "unscored": found.unscored,
        "flat": found.flat,
        "alone": _number(found.alone),
        "page_score": {"present": _interval(found.yardstick[0]), "tested": _interval(found.yardstick[1])},
        "page_score_change": _interval(found.change),
        "shared_items": found.shared,
        "new_candidates": found.new,
        "groups": [_group(row) for row in found.groups.rows],
        "groups_p": found.groups.smallest,
    }
    if clicks is not None:
        figures["clicks"] = {
            "draws": clicks.draws,
            "unseen": clicks.unseen,
            "fidelity": clicks.fidelity,
            "unsupported": clicks.unsupported,
            "effective": clicks.estimates.effective,
            "largest_weight": clicks.estimates.largest,
            **{
                name: _interval(value)
                for name, value in clicks.estimates._asdict().items()
                if isinstance(value, Interval)
            },
        }
    return figures


def _group(row: GroupRow) -> dict[str, Any]:
    return {"pool": row.pool, "group": row.group, "n": row.n, "score": _interval(row.score)}


def _pair(values: tuple[float, float]) -> dict[str, float]:
    return {"present": values[0], "tested": values[1]}


def _interval(interval: Interval) -> list[float | None]:
    """Value, low, high; null where unknown, which JSON has no number for."""
    return [_number(value) for value in interval[:3]]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
