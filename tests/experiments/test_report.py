from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from experiments.outcomes import read_outcomes
from experiments.report import Report, build_report
from experiments.report_plot import plot_report
from experiments.report_table import report_table
from experiments.settings import ExperimentSettings
from snapshot.event_codes import CART, IMPRESSION, PURCHASE, VIEW
from state.attribution import Attribution, AttributionCodec
from state.exposure_event import EXPOSURE_PREFIX
from state.logged_event import LoggedEvent

CODEC = AttributionCodec([b"a secret of a shop"])
NOW = 1_700_000_000_000
SETTINGS = ExperimentSettings.model_validate(
    {"arms": {"control": {"share_bp": 500}, "treatment": {"share_bp": 500}}}
)


def token(request: str, arms: dict[str, str], codec: AttributionCodec = CODEC) -> str:
    return codec.encode(Attribution(request, "home", "s1", "bst", "1", arms, NOW // 1_000))


class Log:
    """An event log written by hand."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []

    def answer(self, user: str, request: str, arms: dict[str, str], shown: int = 10) -> str:
        made = token(request, arms)
        self.event(user, IMPRESSION, made, quantity=shown, event_id=f"{EXPOSURE_PREFIX}{request}:home")
        return made

    def event(self, user: str, kind: int, made: str, item: str = "i", **more: object) -> None:
        self.events.append(
            LoggedEvent(user, item, kind, NOW, NOW, attribution_token=made, **more)  # type: ignore[arg-type]
        )

    def outcomes(self):
        return read_outcomes(enumerate(self.events, 1), CODEC)


def simulated(seed: int, users: int = 600, ctr: float = 0.05, shift: float = 0.0) -> Report:
    """An experiment of `users` shoppers in each arm with ten impressions; the treatment's CTR is shifted."""
    generator = np.random.default_rng(seed)
    log = Log()
    for arm, rate in (("control", ctr), ("treatment", ctr + shift)):
        for n in range(users):
            made = log.answer(f"{arm}-{n}", f"{arm}-{n}", {"x": arm})
            for item in range(int(generator.binomial(10, generator.beta(20 * rate, 20 * (1 - rate))))):
                log.event(f"{arm}-{n}", VIEW, made, f"item-{item}")
                if generator.random() < 0.3:
                    log.event(f"{arm}-{n}", PURCHASE, made, f"item-{item}", quantity=2, price=5.0)
    return build_report("x", log.outcomes().experiments["x"], SETTINGS)


def test_what_shoppers_did_is_counted_as_the_log_says() -> None:
    log = Log()
    first = log.answer("u", "r1", {"x": "a", "y": "b"}, shown=20)
    second = log.answer("u", "r2", {"x": "a"}, shown=10)
    log.event("u", VIEW, first, "i1")
    log.event("u", VIEW, first, "i1")
    log.event("u", VIEW, second, "i1")
    log.event("u", CART, second, "i1")
    log.event("u", PURCHASE, second, "i1", quantity=3, price=2.5)
    log.event("u", PURCHASE, second, "i1", quantity=1, price=2.5)
    log.event("u", PURCHASE, "", "i1", quantity=9, price=99.0)
    # What the shop reports as shown is no exposure.
    log.event("u", IMPRESSION, first, "i1")
    log.answer("v", "r3", {"x": "a"})
    found = log.outcomes().experiments
    assert set(found) == {"x", "y"}
    arm = found["x"].arms["a"]
    columns = {
        name: getattr(arm, name).tolist() for name in ("answers", "impressions", "clicks", "purchases", "gmv")
    }
    assert columns == {
        "answers": [2, 1],
        "impressions": [30, 10],
        "clicks": [2, 0],
        "purchases": [1, 0],
        "gmv": [10.0, 0.0],
    }
    other = found["y"].arms["b"]
    assert (other.users, other.impressions.tolist(), other.clicks.tolist()) == (1, [20], [1])


def test_events_may_come_before_their_exposure_is_logged() -> None:
    log = Log()
    made = log.answer("u", "r", {"x": "a"})
    log.event("u", VIEW, made)
    log.events.reverse()
    assert log.outcomes().experiments["x"].arms["a"].clicks.tolist() == [1]


def test_shoppers_in_two_arms_or_in_none_are_left_out_and_told() -> None:
    log = Log()
    log.answer("moved", "r1", {"x": "control"})
    log.answer("moved", "r2", {"x": "treatment"})
    log.answer("stayed", "r3", {"x": "control"})
    log.answer("other", "r4", {"x": "treatment"})
    log.event("lost", VIEW, token("r5", {"x": "control"}))
    found = log.outcomes().experiments["x"]
    assert {arm: outcomes.users for arm, outcomes in found.arms.items()} == {"control": 1, "treatment": 1}
    assert (found.crossed, found.unexposed) == (1, 1)
    warnings = " ".join(build_report("x", found, SETTINGS).warnings)
    assert "1 shoppers were answered by several arms" in warnings
    assert "1 shoppers clicked or bought without a logged answer" in warnings


def test_tokens_of_another_secret_and_purchases_without_a_price_are_told() -> None:
    log = Log()
    made = log.answer("u", "r", {"x": "a"})
    log.event("u", VIEW, token("r", {"x": "a"}, AttributionCodec([b"another secret of it"])))
    log.event("u", PURCHASE, made)
    outcomes = log.outcomes()
    assert (outcomes.unreadable, outcomes.unpriced) == (1, 1)
    assert outcomes.experiments["x"].arms["a"].purchases.tolist() == [1]


def test_an_empty_log_has_no_experiments() -> None:
    assert read_outcomes([], CODEC).experiments == {}


def test_figures_of_a_report_are_those_of_the_log() -> None:
    log = Log()
    for n in range(4):
        made = log.answer(f"c{n}", f"c{n}", {"x": "control"})
        if n % 2:
            log.event(f"c{n}", VIEW, made)
    for n in range(4):
        made = log.answer(f"t{n}", f"t{n}", {"x": "treatment"})
        log.event(f"t{n}", VIEW, made)
        if n % 2:
            log.event(f"t{n}", PURCHASE, made, price=8.0)
    report = build_report("x", log.outcomes().experiments["x"], SETTINGS)
    control, treatment = report.arms
    assert (report.control, control.name, treatment.name) == ("control", "control", "treatment")
    assert control.metrics["ctr"].value == pytest.approx(0.05)
    assert treatment.metrics["ctr"].value == pytest.approx(0.1)
    assert treatment.metrics["cvr"].value == pytest.approx(0.05)
    assert treatment.metrics["gmv_per_user"].value == pytest.approx(4.0)
    change = treatment.differences["ctr"]
    assert change is not None
    assert (change.value, change.relative) == (pytest.approx(0.05), pytest.approx(1.0))
    # Control: clicks 0, 1, 0, 1 of 10 impressions each; Welch's standard error by hand.
    error = ((4 / 3) * 4 * 0.25 / 1_600) ** 0.5
    assert change.high - change.low == pytest.approx(2 * 1.96 * error, rel=1e-3)
    assert set(control.differences.values()) == {None}
    assert report.mismatch_p == pytest.approx(1.0)


def test_a_real_difference_is_found_and_none_is_not() -> None:
    better = simulated(1, shift=0.03).arms[1].differences["ctr"]
    assert better is not None
    assert better.p_value < 0.01
    assert better.low > 0
    found = 0
    for seed in range(2, 22):
        same = simulated(seed, users=150).arms[1].differences["ctr"]
        assert same is not None
        found += same.p_value < 0.05
    # One of 20 is expected.
    assert found <= 4


def test_a_mismatch_of_the_sample_ratio_is_told_first() -> None:
    log = Log()
    for arm, users in (("control", 300), ("treatment", 200)):
        for n in range(users):
            log.answer(f"{arm}-{n}", f"{arm}-{n}", {"x": arm})
    report = build_report("x", log.outcomes().experiments["x"], SETTINGS)
    assert report.mismatch_p is not None
    assert report.mismatch_p < 0.001
    assert report.warnings[0].startswith("sample-ratio mismatch (p = ")
    assert "control 300, treatment 200" in report.warnings[0]


def test_an_arm_nobody_was_answered_by_is_a_mismatch_too() -> None:
    log = Log()
    for n in range(50):
        log.answer(f"u{n}", f"r{n}", {"x": "control"})
    report = build_report("x", log.outcomes().experiments["x"], SETTINGS)
    assert report.mismatch_p is not None
    assert report.mismatch_p < 0.001


def test_an_experiment_that_is_over_is_reported_with_a_warning() -> None:
    report = build_report("x", simulated_outcomes(), None)
    assert (report.control, report.mismatch_p) == ("control", None)
    assert "not configured any more" in report.warnings[0]


def test_arms_that_were_renamed_are_told() -> None:
    renamed = ExperimentSettings.model_validate(
        {"arms": {"control": {"share_bp": 5}, "new": {"share_bp": 5}}}
    )
    report = build_report("x", simulated_outcomes(), renamed)
    assert "the arms treatment are in the log but not configured" in report.warnings[0]
    assert report.mismatch_p is None


def simulated_outcomes():
    log = Log()
    for n in range(20):
        arm = ("control", "treatment")[n % 2]
        log.answer(f"u{n}", f"r{n}", {"x": arm})
    return log.outcomes().experiments["x"]


def test_a_report_is_a_table_json_and_a_picture(tmp_path: Path) -> None:
    report = simulated(1, users=100, shift=0.05)
    console = Console(width=200, record=True, file=StringIO())
    console.print(report_table(report))
    text = console.export_text()
    for shown in ("treatment", "control (control)", "CTR", "CVR", "GMV per user", "2023-11-14 22:13"):
        assert shown in text
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    for suffix, begin in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        path = tmp_path / "pictures" / f"x{suffix}"
        plot_report(report, path)
        assert path.read_bytes().startswith(begin)
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"x.png", "x.svg"}


def test_an_experiment_with_nothing_to_compare_is_shown_as_such(tmp_path: Path) -> None:
    log = Log()
    log.answer("u", "r", {"x": "control"})
    report = build_report("x", log.outcomes().experiments["x"], SETTINGS)
    assert report.arms[0].metrics["ctr"].value is None
    console = Console(width=160, record=True, file=StringIO())
    console.print(report_table(report))
    assert "–" in console.export_text()
    plot_report(report, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1_000
