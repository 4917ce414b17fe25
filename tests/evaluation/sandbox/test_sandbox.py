"""The sandbox test of a workspace: recordings replayed, verdicts, and what they are required for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from evaluation.errors import EvaluationError
from evaluation.sandbox.recorded_pages import RecordedPages
from evaluation.sandbox.replay import Contender
from evaluation.sandbox.sandbox import Findings, run_sandbox, write_verdict
from evaluation.sandbox.state_then import state_before
from foundation.telemetry.logs.user_ids import UserIds
from foundation.verdicts.gate import VerdictGate
from foundation.verdicts.verdict import Subject, read_verdict
from pipeline.candidates import Candidates
from recall.query import Query
from router.engine.engine import EngineBuilder
from shopfront.command_end import Refused
from shopfront.command_line import app
from shopfront.settings import load_settings
from snapshot.dataset import DatasetStore
from state.event_batch import EventBatch
from state.feature_log.log_folder import FeatureLogFolder
from state.feature_log.logged_page import encode
from state.registry import open_state
from state.seed import seed_state
from testing.served_shop import NOW
from tests.evaluation.sandbox.conftest import Shop
from tests.evaluation.sandbox.simulated_log import simulated_log

pytestmark = pytest.mark.slow
PSEUDONYM = UserIds("pepper")


def record(path: Path, requests: list[tuple[str, Mapping[str, Any]]]) -> Path:
    path.write_text(
        "".join(
            json.dumps(
                {"offset_ms": NOW * 1000 + n, "call": f"shopfront.v1.RecommendService/{call}", "data": data}
            )
            + "\n"
            for n, (call, data) in enumerate(requests)
        )
    )
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 shoppers ask for the home page, under pseudonyms; then come others, and what cannot be replayed."""
    named = [
        ("Recommend", {"scene": "home", "page_size": 8, "user_id": PSEUDONYM(f"u{number:04d}")})
        for number in range(25)
    ]
    others: list[tuple[str, Mapping[str, Any]]] = [
        ("Recommend", {"scene": "home", "page_size": 8}),
        (
            "RecommendPage",
            {"scenes": [{"scene": "home", "page_size": 5}, {"scene": "cart"}], "user_id": "new"},
        ),
        ("Recommend", {"scene": "nowhere"}),
        ("Recommend", {"scene": "home", "colour": "red"}),
        ("Recommend", {"scene": "cart"}),
        ("ReportEvents", {}),
    ]
    return record(tmp_path_factory.mktemp("recording") / "requests.jsonl", [*named, *others])


@pytest.fixture(scope="module")
def pages(shop: Shop, recording: Path) -> RecordedPages:
    return shop.sandbox.recorded(recording, ["home"])


def run(shop: Shop, pages: RecordedPages, subject: Subject, contender: Contender) -> Findings:
    return run_sandbox(
        subject, pages, None, shop.sandbox.present, contender, shop.settings.evaluation.sandbox
    )


def outcomes(tested: Findings) -> dict[str, str]:
    return {check.name: check.outcome for check in tested.verdict.checks}


def test_recorded_requests_are_of_known_shoppers(pages: RecordedPages) -> None:
    assert [page.asked.user_id for page in pages.pages[:2]] == ["u0000", "u0001"]
    assert {page.scene for page in pages.pages} == {"home"}
    assert [page.size for page in pages.pages[-2:]] == [8, 5]
    assert (len(pages.pages), pages.named, pages.known) == (27, 26, 25)
    assert pages.left_out == {
        "refused": 1,
        "not readable": 1,
        "another scene, or a further page": 1,
        "no request for a page": 1,
    }


def test_a_change_that_changes_nothing_passes(shop: Shop, pages: RecordedPages) -> None:
    subject, same = shop.sandbox.patched("home", {"deadline": {"budget_ms": 900.0}})
    tested = run(shop, pages, subject, same)
    assert set(outcomes(tested).values()) == {"pass"}
    assert tested.verdict.passed
    assert tested.comparison.change.value == 0
    assert tested.comparison.shared == 1
    assert tested.comparison.new == 0
    pools = {row.pool for row in tested.comparison.groups.rows}
    assert {"home/ranki2i", "home/again", "home/hot", "all pools"} <= pools


def test_a_channel_is_measured_as_a_pool(shop: Shop, pages: RecordedPages) -> None:
    subject, changed = shop.sandbox.patched("home", {"channels": {"category_hot": {"share": 0.5}}})
    found = run(shop, pages, subject, changed)
    assert "home/category_hot" in {row.pool for row in found.comparison.groups.rows}
    assert found.comparison.new > 0


def test_a_page_that_scores_less_fails(shop: Shop, pages: RecordedPages) -> None:
    subject, changed = shop.sandbox.patched("home", {"ranking": {"enabled": False}})
    unranked = run(shop, pages, subject, changed)
    assert outcomes(unranked)["scores"] == "not measured"
    subject, changed = shop.sandbox.patched("home", {"candidates": 8})
    tested = run(shop, pages, subject, changed)
    assert outcomes(tested)["score of the page"] == "fail"
    assert not tested.verdict.passed
    assert "a change of -" in tested.verdict.failures[0]


def test_an_emptier_page_fails(shop: Shop, pages: RecordedPages) -> None:
    subject, changed = shop.sandbox.patched("home", {"channels": {"hot": None, "ranki2i": None}})
    assert outcomes(run(shop, pages, subject, changed))["pages filled"] == "fail"


def test_another_version_is_tested_by_its_checkpoint(shop: Shop, pages: RecordedPages) -> None:
    subject, contender = shop.sandbox.version(2)
    assert subject == Subject("model", model="bst", version=2, checkpoint="second")
    tested = run(shop, pages, subject, contender)
    assert 0 < tested.comparison.shared < 1
    with pytest.raises(Refused, match="version 1 of bst is the one"):
        shop.sandbox.version(1)


def test_the_arms_of_an_experiment_that_change_something_are_tested(shop: Shop) -> None:
    path = shop.settings.router.experiments
    assert path is not None
    arms = "{as-it-is: {share_bp: 100}, fewer: {share_bp: 100, patch: {candidates: 30}}}"
    path.write_text(
        "layers: {l: {experiments: {"
        f"x: {{scenes: [home], arms: {arms}}}, y: {{first: 200, arms: {arms}}}}}}}}}"
    )
    assert shop.sandbox.of_experiment("x") == [("home", "fewer", {"candidates": 30})]
    assert [scene for scene, _, _ in shop.sandbox.of_experiment("y")] == ["home", "cart"]
    with pytest.raises(Refused, match="has no experiment z"):
        shop.sandbox.of_experiment("z")
    path.unlink()


class ByCompany:
    """A scorer that is broken: a score depends on the candidates beside it, or is none, or says nothing."""

    def __init__(self, how: str) -> None:
        self.how = how

    async def score(self, query: Query, candidates: Candidates) -> np.ndarray:
        ranks = np.arange(len(candidates), dtype=np.float32)
        match self.how:
            case "ranks":
                return 1 - ranks / (len(candidates) + 1)
            case "nan":
                return np.where(candidates.items % 7 == 0, np.nan, 0.5).astype(np.float32)
            case _:
                return np.full(len(candidates), 0.5, np.float32)

    def model(self, query: Query) -> Any:
        from pipeline.stages import NO_MODEL

        return NO_MODEL


@pytest.mark.parametrize(
    ("how", "fails"),
    [("ranks", "scores are candidates' own"), ("nan", "scores are numbers"), ("flat", "scores tell apart")],
)
def test_a_broken_scorer_is_caught(shop: Shop, pages: RecordedPages, how: str, fails: str) -> None:
    from dataclasses import replace

    builder: EngineBuilder = replace(shop.sandbox.builder, scorers={"bst": ByCompany(how)})
    engine = builder.with_scenes(shop.sandbox.engine, shop.sandbox.engine.configured)
    subject = Subject("model", model="bst", version=9)
    assert outcomes(run(shop, pages, subject, Contender(engine, shop.store)))[fails] == "fail"


def test_strangers_fail_and_too_few_pages_give_no_verdict(shop: Shop, tmp_path: Path) -> None:
    strangers = record(
        tmp_path / "strangers.jsonl",
        [("Recommend", {"scene": "home", "user_id": f"x{n}"}) for n in range(20)],
    )
    subject, same = shop.sandbox.patched("home", {"deadline": {"budget_ms": 900.0}})
    tested = run(shop, shop.sandbox.recorded(strangers, ["home"]), subject, same)
    assert outcomes(tested)["shoppers are known"] == "fail"
    few = record(tmp_path / "few.jsonl", [("Recommend", {"scene": "home"})])
    with pytest.raises(EvaluationError, match="1 pages were recorded of what is tested, and 20 are needed"):
        run(shop, shop.sandbox.recorded(few, ["home"]), subject, same)
    with pytest.raises(Refused, match="record requests"):
        shop.sandbox.recorded(tmp_path / "none", ["home"])


def test_the_future_is_not_known(shop: Shop) -> None:
    state = asyncio.run(shop.store.read("u0001"))
    middle = int(np.median(state.behaviours.ts))
    before = state_before(state, middle)
    assert 0 < before.behaviours.ts.size < state.behaviours.ts.size
    assert before.behaviours.ts.max() < middle
    assert before.behaviours.items.size == before.behaviours.events.size == before.behaviours.ts.size
    assert before.purchases.ts.size == np.count_nonzero(state.purchases.ts < middle)
    assert state_before(state, 2**40) == state


def test_a_verdict_is_read_back_and_required(shop: Shop, pages: RecordedPages, tmp_path: Path) -> None:
    gate = VerdictGate(tmp_path)
    subject, same = shop.sandbox.patched("home", {"deadline": {"budget_ms": 900.0}})
    assert "was not tested" in gate.refusal(subject)
    verdict = run(shop, pages, subject, same).verdict
    path = write_verdict(verdict, tmp_path)
    assert read_verdict(path) == verdict
    assert gate.refusal(subject) == ""
    # One number of the patch is another patch.
    assert gate.refusal(Subject("scene", scene="home", patch={"deadline": {"budget_ms": 901.0}}))
    subject, worse = shop.sandbox.patched("home", {"candidates": 8})
    write_verdict(run(shop, pages, subject, worse).verdict, tmp_path)
    assert "failed the sandbox test: score of the page" in gate.refusal(subject)
    path.write_text("{}")
    assert "is no verdict" in gate.refusal(verdict.subject)


def test_the_command_writes_the_verdict_and_ends_with_its_outcome(
    shop: Shop, recording: Path, tmp_path: Path
) -> None:
    # A process opens a state store once, and the fixture has this one's.
    config = shop.config.with_name("elsewhere.yaml")
    state = f"  state: {{url: 'lmdb://{tmp_path / 'state'}'}}\n"
    config.write_text(shop.config.read_text().replace("router:\n", f"router:\n{state}"))
    options = ["--workspace", str(shop.workspace.root), "--config", str(config)]

    def sandbox(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["sandbox", *arguments, *options])
        return result.exit_code, result.output + str(result.exception or "")

    passed = sandbox(
        "--scene", "home", "--patch", "{deadline: {budget_ms: 900.0}}", "--requests", str(recording)
    )
    assert passed[0] == 0, passed[1]
    assert "passed" in passed[1]
    (path,) = (shop.workspace.root / "sandbox").glob("scene-home-*.json")
    assert json.loads(path.read_text())["passed"]
    assert sandbox("--scene", "home", "--patch", "{candidates: 8}", "--requests", str(recording))[0] == 1
    code, output = sandbox(
        "--scene", "home", "--patch", "{candidates: 30}", "--requests", str(recording), "--off-policy"
    )
    assert code == 1
    assert "no propensity: nothing can be said of another policy" in " ".join(output.split())
    assert "one of --patch, --version and --experiment" in sandbox()[1]


def test_clicks_are_estimated_from_the_logs_on_disk(shop: Shop, recording: Path, tmp_path: Path) -> None:
    """The command reads the feature log and the event log that a router writes."""
    config = shop.config.with_name("explored.yaml")
    folders = (
        f"  state: {{url: 'lmdb://{tmp_path / 'state'}'}}\n"
        f"  feature_log: {{folder: '{tmp_path / 'features'}'}}\n"
    )
    config.write_text(shop.config.read_text().replace("router:\n", f"router:\n{folders}"))
    settings = load_settings(config, shop.workspace)
    log = simulated_log(shop.sandbox.present, [f"u{number:04d}" for number in range(15)], 2, NOW, 8)
    folder = FeatureLogFolder(settings.router.feature_log)
    assert {folder.write(encode(page)) for page in log.pages} == {"written"}
    folder.close()
    store = open_state(settings.router.state)
    seed_state(
        store,
        DatasetStore(shop.workspace.datasets).open_current(verify=False),
        settings.router.state,
    )
    # The log forgets what arrived long ago.
    arrived_ms = int(time.time() * 1000)
    events = [msgspec.structs.replace(event, arrived_ms=arrived_ms) for _, event in log.events]
    asyncio.run(store.append(EventBatch.of(events)))
    store.close()
    arguments = ["--scene", "home", "--patch", "{exploration: {temperature: 0.07}}", "--off-policy"]
    result = CliRunner().invoke(
        app,
        [
            "sandbox",
            *arguments,
            *("--requests", str(recording)),
            *("--workspace", str(shop.workspace.root)),
            *("--config", str(config)),
        ],
    )
    subject = Subject("scene", scene="home", patch={"exploration": {"temperature": 0.07}})
    verdict = read_verdict(shop.workspace.root / "sandbox" / subject.file_name)
    assert verdict is not None, result.output + repr(result.exception)
    clicks = verdict.figures["clicks"]
    assert clicks["fidelity"] == 1
    assert clicks["draws"] > 80
    low, high = clicks["dr"][1:]
    assert low < clicks["dr"][0] < high
    checks = {check.name: check.outcome for check in verdict.checks}
    assert {"draws can be replayed", "enough draws", "draws cover the change", "clicks"} <= set(checks)
    assert checks["draws can be replayed"] == checks["draws cover the change"] == "pass"
    assert result.exit_code == (0 if verdict.passed else 1)
