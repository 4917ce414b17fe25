"""Good and bad models through preparation, shadow and canary, by everything that is real but Triton."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rollout.settings import RolloutSettings
from testing.rollout_trial import WITH_SHADOW, WITHOUT_SHADOW, Outcome, made_up_shop, roll_out
from testing.trial_models import TrialRequest, Version, bad_versions, good_versions

SETTINGS = RolloutSettings.model_validate(
    {
        "shadow": {"share": 0.25},
        "judge": {
            # Every request takes the same time here, and nobody clicks.
            "latency": {"quantiles": [0.5]},
            "ctr": {"margin": 0.1, "enabled": False},
            "cvr": {"margin": 0.2, "enabled": False},
        },
    }
)
BAD, GOOD = bad_versions(), good_versions()
SKIPS_SHADOW = {"reversed in all calls", "reversed after 700 calls"}
"""Tried with an operator's stages that begin with traffic."""


@pytest.fixture(scope="module")
def shop() -> list[TrialRequest]:
    """A made-up shop."""
    return made_up_shop()


WIDE = {name: {"margin": 0.1} for name in ("errors", "degraded", "empty", "short")}
QUICK = RolloutSettings.model_validate(
    {"shadow": {"share": 1.0}, "judge": {**SETTINGS.judge.model_dump(), **WIDE}}
)
"""Needs a few thousand requests to promote: what it tolerates elsewhere is wide."""


def tried(
    shop: list[TrialRequest],
    version: Version,
    folder: Path,
    name: str = "",
    settings: RolloutSettings = SETTINGS,
    **more: int,
) -> Outcome:
    stages = WITHOUT_SHADOW if name in SKIPS_SHADOW else WITH_SHADOW
    return asyncio.run(roll_out(shop, version, folder, settings, stages, **more))


@pytest.mark.parametrize(
    "name", ["reversed in all calls", "reversed in 5 % of calls", "inverted for one crowd of 8 %"]
)
def test_a_bad_model_is_stopped_before_it_answers_anybody(
    shop: list[TrialRequest], tmp_path: Path, name: str
) -> None:
    outcome = tried(shop, BAD[name], tmp_path, name)
    assert outcome.phase in ("refused", "rolled_back"), outcome
    assert "differ too much" in outcome.reason or "another order" in outcome.reason
    assert outcome.touched == 0


@pytest.mark.slow
def test_a_good_retraining_is_promoted(shop: list[TrialRequest], tmp_path: Path) -> None:
    outcome = tried(shop, GOOD["retraining 3 of other weights"], tmp_path, settings=QUICK)
    assert outcome.phase == "promoted", outcome


def test_with_few_requests_nothing_is_promoted_and_the_deadline_ends_it(
    shop: list[TrialRequest], tmp_path: Path
) -> None:
    version = GOOD["retraining 1 of other weights"]
    outcome = tried(shop, version, tmp_path, most_requests=300)
    assert outcome.phase == "expired", outcome
    assert outcome.touched == 0


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_twenty_good_models_are_promoted_but_for_one_at_most(
    shop: list[TrialRequest], tmp_path: Path
) -> None:
    outcomes = {name: tried(shop, version, tmp_path / name) for name, version in GOOD.items()}
    held = {name: outcome for name, outcome in outcomes.items() if outcome.phase != "promoted"}
    assert len(outcomes) == 20
    assert len(held) <= 1, held


@pytest.mark.faults
@pytest.mark.parametrize("name", BAD)
def test_a_bad_model_is_not_promoted(shop: list[TrialRequest], tmp_path: Path, name: str) -> None:
    outcome = tried(shop, BAD[name], tmp_path, name)
    # A share between what a group and what all may have is held until the deadline.
    assert outcome.phase in ("refused", "rolled_back", "expired"), outcome
    # Half of the shoppers is what the stage before the last may touch.
    assert outcome.touched <= 0.5 * outcome.seen, outcome
