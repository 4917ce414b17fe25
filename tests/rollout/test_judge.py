import msgspec
import numpy as np
import pytest

from rollout.arm_statistics import ArmStatistics
from rollout.judging.check_results import Check, CheckResults, Verdict
from rollout.judging.judge import judge
from rollout.judging.settings import JudgeSettings
from rollout.overlap import Overlap

QUICK = JudgeSettings.model_validate(
    {"errors": {"margin": 0.05}, "empty": {"margin": 0.05}, "latency": {"quantiles": [0.5, 0.9]}}
)


def arm(
    name: str,
    requests: int = 1_500,
    *,
    slower_ms: float = 0.0,
    errors: float = 0.0,
    degraded: float = 0.0,
    empty: float = 0.0,
    short: float = 0.0,
    ctr: float = 0.1,
    dissatisfied: float = 0.2,
    log_odds: float = -3.0,
    scored: bool = True,
    users: int | None = None,
) -> ArmStatistics:
    """Three requests of each shopper, with 20 impressions each."""
    generator = np.random.default_rng([ord(letter) for letter in name])
    gathered = ArmStatistics()
    for n in range(requests):
        user = f"{name}-{n % (users or requests // 3)}"
        chance = generator.random()
        shown = 0 if chance < empty else 15 if chance < empty + short else 20
        scores = 1 / (1 + np.exp(-generator.normal(log_odds, 1.0, 30)))
        gathered.observe_request(
            user,
            float(generator.lognormal(2.5, 0.3)) + slower_ms,
            shown=shown,
            page_size=20,
            error=bool(generator.random() < errors),
            degraded=bool(generator.random() < degraded),
            scores=scores.astype(np.float32) if scored else None,
        )
        gathered.observe_feedback(
            user,
            impressions=20,
            clicks=int(generator.binomial(20, ctr)),
            conversions=int(generator.binomial(20, ctr / 2)),
        )
    said = np.random.default_rng([ord(letter) for letter in f"{name} says"])
    for n in range(requests // 3):
        gathered.observe_rating(
            f"{name}-{n % (users or requests // 3)}", satisfied=said.random() >= dissatisfied
        )
    return gathered


@pytest.fixture(scope="module")
def baseline() -> ArmStatistics:
    return arm("baseline")


def verdicts(results: CheckResults) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in results.checks}


def test_a_candidate_like_the_baseline_passes_every_check() -> None:
    results = judge(arm("candidate", 3_000), arm("control", 3_000), None, QUICK)
    undecided = {name: verdict for name, verdict in verdicts(results).items() if verdict != "pass"}
    assert set(undecided) <= {"ctr", "cvr", "dissatisfied"}
    assert "fail" not in undecided.values()
    relaxed = QUICK.model_copy(
        update={
            "ctr": QUICK.ctr.model_copy(update={"margin": 0.3}),
            "cvr": QUICK.cvr.model_copy(update={"margin": 0.4}),
        }
    )
    passed = judge(arm("candidate", 3_000), arm("control", 3_000), None, relaxed)
    assert passed.verdict == "pass", passed.reason


@pytest.mark.parametrize(
    ("worse", "check"),
    [
        ({"errors": 0.3}, "errors"),
        ({"errors": 1.0}, "errors"),
        ({"degraded": 0.3}, "degraded"),
        ({"empty": 0.3}, "empty"),
        ({"short": 0.3}, "short"),
        ({"slower_ms": 50.0}, "latency"),
        ({"log_odds": -1.0}, "drift"),
        ({"ctr": 0.05}, "ctr"),
        ({"ctr": 0.0}, "ctr"),
        ({"dissatisfied": 0.5}, "dissatisfied"),
    ],
)
def test_a_worse_candidate_fails_the_check_of_what_is_worse(
    baseline: ArmStatistics, worse: dict[str, float], check: str
) -> None:
    results = judge(arm("candidate", **worse), baseline, None, QUICK)
    assert results.verdict == "fail"
    assert verdicts(results)[check] == "fail"
    failed = {name for name, verdict in verdicts(results).items() if verdict == "fail"}
    # Fewer clicks bring fewer conversions; nothing else of it is anyone's fault.
    assert failed <= {check, "cvr"}
    assert check in results.reason


def test_a_better_candidate_fails_nothing(baseline: ArmStatistics) -> None:
    shares = dict.fromkeys(("errors", "degraded", "empty", "short"), 0.2)
    worse = arm("worse", slower_ms=50, ctr=0.05, dissatisfied=0.6, **shares)
    results = judge(baseline, worse, None, QUICK)
    assert "fail" not in verdicts(results).values()


def test_a_slow_or_crashing_candidate_fails_on_few_requests() -> None:
    few = arm("baseline", 90)
    assert verdicts(judge(arm("c", 90, slower_ms=50), few, None, JudgeSettings()))["latency"] == "fail"
    assert verdicts(judge(arm("c", 90, errors=1.0), few, None, JudgeSettings()))["errors"] == "fail"


def test_one_score_that_is_no_number_fails_at_once(baseline: ArmStatistics) -> None:
    candidate = ArmStatistics()
    scores = np.array([0.1, np.nan], np.float32)
    candidate.observe_request("a", 1.0, shown=20, page_size=20, scores=scores)
    results = judge(candidate, baseline, None, JudgeSettings())
    assert results.verdict == "fail"
    assert results.reason == "scores: 1 of 2 are no number"


def test_a_baseline_without_numbers_is_an_error(baseline: ArmStatistics) -> None:
    broken = ArmStatistics()
    broken.add(baseline)
    broken.observe_request("a", 1.0, shown=20, page_size=20, scores=np.array([np.nan], np.float32))
    results = judge(baseline, broken, None, QUICK)
    assert results.verdict == "error"
    assert verdicts(results)["scores"] == "error"


def test_no_data_never_pass(baseline: ArmStatistics) -> None:
    nothing = ArmStatistics()
    for pair in [(nothing, nothing), (nothing, baseline), (baseline, nothing)]:
        for overlap in (None, Overlap()):
            results = judge(*pair, overlap, JudgeSettings())
            assert results.verdict == "inconclusive"
            seen = verdicts(results)
            seen.pop("scores")
            assert set(seen.values()) == {"inconclusive"}


def test_a_model_that_answers_nothing_does_not_pass(baseline: ArmStatistics) -> None:
    results = judge(arm("candidate", scored=False), baseline, None, QUICK)
    assert verdicts(results)["scores"] == "inconclusive"
    assert verdicts(results)["drift"] == "inconclusive"
    assert results.verdict == "inconclusive"


def test_few_shoppers_with_many_requests_decide_nothing(baseline: ArmStatistics) -> None:
    results = judge(arm("candidate", errors=1.0, slower_ms=99, users=5), baseline, None, QUICK)
    assert results.verdict == "inconclusive"
    assert "5 and 499 shoppers" in results.reason  # estimated


def test_one_shopper_for_whom_everything_fails_is_no_rise() -> None:
    candidate = arm("candidate", 600)
    for _ in range(30):
        candidate.observe_request("unlucky", 10.0, shown=0, page_size=20, error=True)
    assert verdicts(judge(candidate, arm("baseline", 600), None, QUICK))["errors"] != "fail"


def test_more_clicks_than_impressions_are_an_error(baseline: ArmStatistics) -> None:
    broken = ArmStatistics()
    broken.add(baseline)
    broken.observe_feedback("a", clicks=1_000_000)
    results = judge(broken, baseline, None, QUICK)
    assert verdicts(results)["ctr"] == "error"
    assert results.verdict == "error"


def test_shadow_judges_the_overlap_and_not_what_shoppers_do(baseline: ArmStatistics) -> None:
    candidate = arm("candidate", ctr=0.0, empty=0.5)

    def shadow(overlap: float, count: int = 300) -> CheckResults:
        observed = Overlap()
        for request in range(count):
            observed.observe(f"shopper-{request}", overlap)
        return judge(candidate, baseline, observed, QUICK)

    assert set(verdicts(shadow(0.6))) == {"scores", "errors", "latency", "drift", "overlap"}
    assert shadow(0.6).verdict == "pass", shadow(0.6).reason
    assert verdicts(shadow(0.1))["overlap"] == "fail"
    assert verdicts(shadow(0.3))["overlap"] == "inconclusive"
    assert verdicts(shadow(0.6, 99))["overlap"] == "inconclusive"


def test_a_check_that_is_switched_off_is_not_made(baseline: ArmStatistics) -> None:
    off = JudgeSettings.model_validate(
        {"latency": {"enabled": False}, "ctr": {"margin": 0.1, "enabled": False}}
    )
    results = judge(arm("candidate", slower_ms=99), baseline, None, off)
    assert {"latency", "ctr"}.isdisjoint(verdicts(results))
    assert results.verdict != "fail"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "error", "pass"], "error"),
        (["error", "fail", "pass", "inconclusive"], "fail"),
        ([], "inconclusive"),
    ],
)
def test_the_gravest_verdict_counts(given: list[Verdict], expected: Verdict) -> None:
    assert CheckResults.of([Check("c", verdict, "why") for verdict in given]).verdict == expected


def test_a_check_that_is_not_required_holds_nothing_but_can_fail() -> None:
    def optional(verdict: Verdict) -> Check:
        return Check("c", verdict, "why", required=False)

    assert CheckResults.of([Check("a", "pass", ""), optional("inconclusive")]).verdict == "pass"
    assert CheckResults.of([Check("a", "pass", ""), optional("fail")]).verdict == "fail"
    assert CheckResults.of([optional("inconclusive")]).verdict == "inconclusive"


def test_a_judgement_is_plain_json(baseline: ArmStatistics) -> None:
    results = judge(arm("candidate", 90), baseline, None, QUICK)
    assert msgspec.json.decode(msgspec.json.encode(results), type=CheckResults) == results
    assert all(np.isfinite(value) for check in results.checks for value in check.figures.values())


@pytest.mark.slow
def test_like_candidates_are_seldom_failed_by_anything_under_peeking() -> None:
    strict = JudgeSettings.model_validate({"alpha": 0.2, "min_requests": 50})
    failed = 0
    for run in range(25):
        arms = [ArmStatistics(), ArmStatistics()]
        wrong = False
        for look in range(4):
            for side, gathered in zip("cb", arms, strict=True):
                gathered.add(arm(f"{side}{run}/{look}", 90, errors=0.02, degraded=0.05, short=0.05))
            wrong |= judge(*arms, None, strict).verdict == "fail"
        failed += wrong
    assert failed / 25 <= 0.2
