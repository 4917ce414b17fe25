"""`shopfront satisfaction` and satisfaction in `shopfront experiment report`, from a store."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from shopfront.command_end import Refused
from shopfront.command_line import app
from state.attribution import Attribution, AttributionCodec
from state.event_batch import EventBatch
from state.exposure_event import exposure_event
from state.feedback_codes import RATED
from state.logged_event import LoggedEvent, LoggedRating
from state.registry import open_state
from state.settings import StateSettings
from tests.shopfront.test_experiment_report import config

__all__ = ["config"]

NOW_S = int(time.time())
DAY_S = 86_400


def run(workspace: Path, config: Path, *arguments: str) -> Result:
    place = ["--workspace", str(workspace), "--config", str(config)]
    return CliRunner().invoke(app, [*arguments, *place], env={"COLUMNS": "250"}, catch_exceptions=False)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Sixty shoppers of each arm, whom the treatment has angered since a week; the control is as before."""
    folder = tmp_path / "workspace"
    store = open_state(StateSettings(url=f"lmdb://{folder / 'state'}"))
    codec = AttributionCodec()

    async def fill() -> None:
        for n in range(120):
            arm = ("control", "treatment")[n % 2]
            at = NOW_S - (n % 6) * DAY_S - 60
            token = codec.encode(Attribution(f"r{n}", "home", "s", "", "", {"x": arm}, at))
            value = 1 if arm == "treatment" else 5
            await store.append(exposure_event(f"u{n}", f"r{n}", "home", ["i1"], token, at))
            rows = [
                LoggedEvent(f"u{n}", "i1", RATED, at * 1_000, at * 1_000, "home", attribution_token=token,
                            rating=LoggedRating({"relevance": value}, ["[boring]"])),
                LoggedEvent(f"u{n}", "", RATED, (at - 20 * DAY_S) * 1_000, at * 1_000, "home",
                            rating=LoggedRating({"relevance": 5}, [])),
            ]  # fmt: skip
            await store.append(EventBatch.of(rows))

    asyncio.run(fill())
    store.put_profiles({"u0": {"city": "Lyon", "shoe_size": "40"}}, NOW_S)
    store.close()
    return folder


@pytest.mark.slow
def test_the_report_is_printed_and_written_and_an_alert_ends_the_command(
    workspace: Path, config: Path
) -> None:
    result = run(workspace, config, "satisfaction", "--picture", "svg")
    assert result.exit_code == 0
    assert (
        "ALERT overall in all: 50% of 120 shoppers are satisfied, after 100% of 120 before" in result.output
    )
    assert "[boring] 60" in result.output
    assert "city=Lyon" in result.output
    assert "shoe_size" not in result.output
    made = json.loads((workspace / "satisfaction" / "satisfaction.json").read_text())
    arms = {
        each["name"]: each
        for each in made["groups"]
        if (each["kind"], each["dimension"]) == ("arm", "relevance")
    }
    assert (arms["x/control"]["csat"], arms["x/treatment"]["csat"]) == (1.0, 0.0)
    assert arms["x/treatment"]["items"] == {"i1": 60}
    assert b"<svg" in (workspace / "satisfaction" / "satisfaction.svg").read_bytes()[:2_000]
    assert run(workspace, config, "satisfaction", "--alert").exit_code == 1
    for wrong in (("--picture", "bmp"), ("--dimension", "colour")):
        with pytest.raises(Refused):
            run(workspace, config, "satisfaction", *wrong)


def test_an_arm_that_angers_shoppers_is_refused(workspace: Path, config: Path) -> None:
    output = run(workspace, config, "experiment", "report", "x").output
    assert "REFUSED treatment: 0% of 60 shoppers are satisfied, in the control 100% of 60" in " ".join(
        output.split()
    )
    made = json.loads((workspace / "experiments" / "x.json").read_text())
    assert list(made["refused"]) == ["treatment"]


def test_a_log_without_ratings_is_told(tmp_path: Path, config: Path) -> None:
    open_state(StateSettings(url=f"lmdb://{tmp_path / 'empty' / 'state'}")).close()
    with pytest.raises(Refused, match="no rating yet"):
        run(tmp_path / "empty", config, "satisfaction")
