"""What a change must not do, as checks with reasons."""

from __future__ import annotations

from evaluation.sandbox.comparison import Comparison
from evaluation.sandbox.recorded_pages import RecordedPages
from evaluation.sandbox.settings import SandboxSettings
from foundation.statistics.grouped_ratio import Interval
from foundation.statistics.off_policy import Estimates
from foundation.verdicts.verdict import Check, Outcome

_CHANCE = 0.001
"""p-value below which the means of random groups differ by more than chance."""
_WEIGHT_SLACK = 0.05


def page_checks(recorded: RecordedPages, found: Comparison, settings: SandboxSettings) -> list[Check]:
    """Of the pages made again."""
    checks = [
        _known(recorded, settings),
        Check(
            "pages filled",
            _outcome(found.empty[1] - found.empty[0] <= settings.short),
            f"{found.empty[1]:.2%} of the slots are empty, {found.empty[0]:.2%} now; {settings.short:.2%} "
            "more is tolerated",
        ),
        Check(
            "nothing fails",
            _outcome(found.degraded[1] <= found.degraded[0]),
            f"something did not take part on {found.degraded[1]:.1%} of {found.pages} pages, "
            f"{found.degraded[0]:.1%} now",
        ),
    ]
    if not found.ranked:
        return [*checks, Check("scores", "not measured", "one of the two settings has no ranking")]
    return [*checks, *_score_checks(found, settings)]


def _score_checks(found: Comparison, settings: SandboxSettings) -> list[Check]:
    before, after = found.yardstick
    tolerated = -settings.margin * abs(before.value)
    return [
        Check("scores are numbers", _outcome(found.unscored == 0), f"{found.unscored:.2%} of them are not"),
        Check(
            "scores tell apart",
            _outcome(found.flat < 0.5),
            f"on {found.flat:.1%} of the pages all candidates have the same score",
        ),
        Check(
            "scores are candidates' own",
            _outcome(found.alone <= settings.alone),
            f"scored group by group, a score changes by at most {found.alone:.2g} standard deviations; "
            f"{settings.alone:.2g} is tolerated",
        ),
        Check(
            "groups are alike",
            _outcome(found.groups.smallest >= _CHANCE),
            f"random groups of candidates differ with p = {found.groups.smallest:.2g}",
        ),
        Check(
            "score of the page",
            # A NaN, of too few pages, fails.
            _outcome(found.change.low >= tolerated),
            f"by the present ranking a page's items score {_text(after)} instead of {_text(before)}: a "
            f"change of {_text(found.change)}, and {tolerated:.4f} is tolerated",
        ),
    ]


def _known(recorded: RecordedPages, settings: SandboxSettings) -> Check:
    if not recorded.named:
        return Check("shoppers are known", "not measured", "no recorded request names a shopper")
    share = recorded.known / recorded.named
    advice = (
        "" if share >= settings.known else "; set recording.salt, or recording.keep_user_ids, and record anew"
    )
    return Check(
        "shoppers are known",
        _outcome(share >= settings.known),
        f"{share:.0%} of the pages that name a shopper are of one known here{advice}",
    )


def click_checks(
    found: Estimates, fidelity: float, unsupported: float, settings: SandboxSettings
) -> list[Check]:
    """Of the off-policy estimates.

    fidelity     share of the draws whose logged probability the replay gives again
    unsupported  share of the target policy's draws that could not have been made
    """
    tolerated = -settings.click_margin * found.logged.value
    weight = found.weight
    return [
        Check(
            "draws can be replayed",
            _outcome(fidelity >= settings.fidelity),
            f"the present settings give the logged probability of {fidelity:.0%} of the draws again; least: "
            f"{settings.fidelity:.0%}",
        ),
        Check(
            "enough draws",
            _outcome(found.effective >= settings.effective_draws),
            f"they are worth {found.effective:,.0f} unweighted ones (largest weight {found.largest:.1f}); "
            f"least: {settings.effective_draws:,.0f}",
        ),
        Check(
            "draws cover the change",
            _outcome(weight.high >= 1 - _WEIGHT_SLACK and weight.low <= 1 + _WEIGHT_SLACK),
            f"the mean weight is {_text(weight)}, and must be 1 where propensities are right and the change "
            f"shows nothing new; by the replay {unsupported:.1%} of its draws are new",
        ),
        Check(
            "clicks",
            _outcome(found.dr_gain.low >= tolerated),
            f"a drawn slot's click rate changes by {_text(found.dr_gain)} from {_text(found.logged)} (DR); "
            f"{tolerated:.4f} is tolerated",
        ),
    ]


def _outcome(passed: bool) -> Outcome:
    return "pass" if passed else "fail"


def _text(interval: Interval) -> str:
    return f"{interval.value:.4f} ({interval.low:.4f} to {interval.high:.4f})"
