import asyncio
import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shopfront.command_end import Refused
from shopfront.command_line import app
from shopfront.workspace import PROJECT
from state.attribution import Attribution, AttributionCodec
from state.exposure_event import exposure_event
from state.registry import open_state
from state.settings import StateSettings

# The log is trimmed by age.
NOW = int(time.time())
EXPERIMENTS = """
layers:
  l:
    experiments:
      x: {arms: {control: {share_bp: 500}, treatment: {share_bp: 500, patch: {candidates: 200}}}}
      silent: {first: 5000, arms: {a: {share_bp: 1}, b: {share_bp: 1}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with two experiments."""
    folder = tmp_path / "config"
    folder.mkdir()
    for name in ("scenes.yaml", "shopfront.yaml"):
        (folder / name).write_text((PROJECT / "config" / name).read_text())
    (folder / "experiments.yaml").write_text(EXPERIMENTS)
    return folder / "shopfront.yaml"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace whose event log holds answers of one of them."""
    folder = tmp_path / "workspace"
    store = open_state(StateSettings(url=f"lmdb://{folder / 'state'}"))
    codec = AttributionCodec()

    async def fill() -> None:
        for n in range(20):
            arm = ("control", "treatment")[n % 2]
            token = codec.encode(Attribution(f"r{n}", "home", "s", "", "", {"x": arm}, NOW))
            await store.append(exposure_event(f"u{n}", f"r{n}", "home", ["i1", "i2"], token, NOW))

    asyncio.run(fill())
    store.close()
    return folder


def report(*arguments: str | Path) -> str:
    """The command's output."""
    result = CliRunner().invoke(app, ["experiment", "report", *map(str, arguments)], catch_exceptions=False)
    return result.output


def test_a_report_is_printed_and_written(workspace: Path, config: Path) -> None:
    report("x", "--workspace", workspace, "--config", config, "--picture", "svg")
    written = json.loads((workspace / "experiments" / "x.json").read_text())
    assert {arm["name"]: (arm["users"], arm["impressions"]) for arm in written["arms"]} == {
        "control": (10, 20),
        "treatment": (10, 20),
    }
    assert (workspace / "experiments" / "x.svg").read_text().startswith("<?xml")


def test_every_experiment_of_the_log_is_reported_where_none_is_named(
    workspace: Path, config: Path, tmp_path: Path
) -> None:
    report("--workspace", workspace, "--config", config, "--output", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x.json", "x.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["silent"], "experiment silent has no answer in the event log yet"),
        (["unheard"], "no experiment unheard is configured or in the event log; in the log are x"),
        (["x", "--picture", "gif"], "--picture must be png, svg or pdf, got gif"),
    ],
)
def test_what_cannot_be_reported_is_said(
    workspace: Path, config: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        report(*arguments, "--workspace", workspace, "--config", config)


def test_a_log_without_answers_is_said(config: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no answer of any experiment"):
        report("--workspace", tmp_path / "empty", "--config", config)


def test_how_the_shop_does_is_printed_and_written_by_segment_and_arm(
    workspace: Path, config: Path, tmp_path: Path
) -> None:
    store = open_state(StateSettings(url=f"lmdb://{workspace / 'state'}"))
    store.put_profiles({"u0": {"city": "Lyon"}, "u1": {"city": "Lyon"}}, NOW)
    store.close()
    place = ["--workspace", str(workspace), "--config", str(config)]
    result = CliRunner().invoke(app, ["report", *place], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert "7-day return" in result.output
    written = json.loads((workspace / "experiments" / "business.json").read_text())
    assert [(group["kind"], group["name"], group["shoppers"]) for group in written["groups"]] == [
        ("all", "", 20),
        ("segment", "city=Lyon", 2),
        ("arm", "x/control", 10),
        ("arm", "x/treatment", 10),
    ]
    assert written["groups"][2]["figures"]["ctr"] == {"value": 0.0, "low": 0.0, "high": 0.0, "of": 20}
    with pytest.raises(Refused, match="holds no event"):
        CliRunner().invoke(
            app, ["report", *place, "--workspace", str(tmp_path / "empty")], catch_exceptions=False
        )
