"""The commands that edit a workspace's blocks and pins."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shopfront.merchandising_commands import app
from shopfront.plan_commands import app as plans
from shopfront.workspace import DEFAULT_FILE


@pytest.fixture
def run(tmp_path: Path):  # type: ignore[no-untyped-def]
    def command(*arguments: str, workspace: Path = tmp_path):  # type: ignore[no-untyped-def]
        place = ["--workspace", str(workspace), "--config", str(DEFAULT_FILE)]
        return CliRunner().invoke(app, [*arguments, *place], env={"COLUMNS": "200"})

    return command


@pytest.fixture
def run_plans(tmp_path: Path):  # type: ignore[no-untyped-def]
    def command(*arguments: str, workspace: Path = tmp_path):  # type: ignore[no-untyped-def]
        place = ["--workspace", str(workspace), "--config", str(DEFAULT_FILE)]
        return CliRunner().invoke(plans, [*arguments, *place], env={"COLUMNS": "200"})

    return command


@pytest.mark.slow
def test_a_merchandiser_blocks_pins_lists_and_ends_rules(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("block", "brand", "ACME", "--reason", "recall").exit_code == 0
    pinned = run(
        "pin", "item", "42", "--scene", "home", "--position", "3", "--reason", "deal", "--hours", "2"
    )
    assert pinned.exit_code == 0
    listed = " ".join(run("blocks").output.split())
    assert f"block brand ACME all {getpass.getuser()} recall" in listed
    assert "pin item 42 home 3" in listed
    assert "pin" not in run("blocks", "--scene", "cart").output.split()
    assert "ended 1" in run("unpin", "item", "42", "--reason", "over").output
    assert "ended 1" in run("unblock", "brand", "ACME", "--reason", "mended").output
    assert json.loads((tmp_path / "business_rules.json").read_text())["rules"] == []
    audit = (tmp_path / "business_rules.json.audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["change"] for line in audit] == ["add", "add", "remove", "remove"]


def test_what_is_wrong_is_said_in_a_line(run) -> None:  # type: ignore[no-untyped-def]
    for arguments, problem in (
        (("block", "colour", "red", "--reason", "r"), "must be one of item, category"),
        (("pin", "item", "1", "--scene", "home", "--position", "0", "--reason", "r"), "position"),
        (
            ("pin", "item", "1", "--scene", "hom", "--position", "1", "--reason", "r"),
            "no scene hom is configured",
        ),
        (("block", "item", "1", "--scene", "hom", "--reason", "r"), "name one of home, halls, cart"),
        (("block", "item", "1", "--hours", "nan", "--reason", "r"), "'--hours': must be above 0"),
        (("block", "item", "1", "--hours", "inf", "--reason", "r"), "at most 876,000, is inf"),
        (("unblock", "item", "1", "--reason", "r"), "there is no block of the item '1'"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert problem in " ".join(result.output.split())


def test_an_alert_that_no_rule_of_the_shop_raises_is_refused_or_told(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    block = ("block", "item", "1", "--reason", "r", "--alert", "hase")
    assert "no feed raises alerts" in run(*block).output
    config = tmp_path / "shop.yaml"
    config.write_text(f"router: {{environment: {{file: {tmp_path / 'weather.csv'}}}}}")
    told = CliRunner().invoke(app, [*block, "--workspace", str(tmp_path), "--config", str(config)])
    assert told.exit_code == 0
    assert "hase is none of router.environment.alerts (heat, haze)" in " ".join(told.output.split())


def test_a_rule_that_no_router_would_follow_is_refused(run, run_plans, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    mistyped = tmp_path / "smaple"
    for command, arguments in (
        (run, ("block", "item", "1", "--reason", "recall")),
        (run, ("blocks",)),
        (run_plans, ("plan", "item", "1", "--hours", "1", "--cap", "5", "--reason", "r")),
    ):
        result = command(*arguments, workspace=mistyped)
        assert result.exit_code == 2
        said = " ".join(result.output.replace("│", " ").split())
        assert f"{mistyped} does not exist, so no router follows rules there" in said
    assert not mistyped.exists()


def test_a_damaged_file_of_rules_is_named_by_every_command(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "business_rules.json").write_text("{")
    for arguments in (
        ("blocks",),
        ("block", "item", "1", "--reason", "r"),
        ("unblock", "item", "1", "--reason", "r"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "business_rules.json is no JSON" in " ".join(result.output.replace("│", " ").split())


@pytest.mark.slow
def test_plans_are_made_listed_and_ended(run_plans, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = run_plans(
        "plan", "shop", "acme", "--reason", "deal", "--hours", "24", "--guarantee", "500", "--cap", "900"
    )
    assert made.exit_code == 0, made.output
    listed = " ".join(run_plans("plans").output.split())
    assert "shop acme all" in listed
    assert "500 900" in listed
    for arguments, problem in (
        (("--guarantee", "5", "--cap", "4"), "the plan contradicts itself"),
        ((), "give guarantee, cap or both"),
        (("--cap", "5", "--starts", "2020-01-01"), "would have expired already"),
        (("--cap", "5", "--scene", "hom"), "no scene hom is configured"),
        (("--cap", "5", "--hours", "inf"), "at most 876,000, is inf"),
        (("--guarantee", "1000"), ""),
    ):
        result = run_plans("plan", "item", "1", "--reason", "r", "--hours", "1", *arguments)
        assert result.exit_code == (2 if problem else 0)
        assert problem in " ".join(result.output.replace("│", " ").split())
    assert "ended 1" in run_plans("unplan", "shop", "acme", "--reason", "over").output
    rules = json.loads((tmp_path / "business_rules.json").read_text())["rules"]
    assert [(rule["value"], rule["plan"]["guarantee"]) for rule in rules] == [("1", 1000)]
