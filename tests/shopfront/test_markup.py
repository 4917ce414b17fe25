"""What shops, callers and servers write is printed as it is, brackets included."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from protos.shopfront.v1 import recommend_pb2, rollout_pb2
from shopfront.answer_table import show
from shopfront.command_end import print_failure
from shopfront.rollout_commands import show_status

BRACKETS = ("[/]", "[/such]", "[red]", "a [b] c", "\\[/]")


def console() -> Console:
    """One that writes to a text."""
    return Console(width=200, file=io.StringIO())


def printed(to: Console) -> str:
    """What was written to it."""
    return to.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("text", BRACKETS)
def test_of_a_failure(text: str) -> None:
    to = console()
    print_failure(to, OSError(f"no folder {text}"))
    assert f"shopfront: no folder {text}" in printed(to)


@pytest.mark.parametrize("text", BRACKETS)
def test_of_an_answer(text: str) -> None:
    item = recommend_pb2.RecommendedItem(
        item_id="1",
        title=f"title{text}",
        category=f"kind{text}",
        reasons=[recommend_pb2.Reason(channel=f"channel{text}", trigger_item_id=f"trigger{text}")],
    )
    answer = recommend_pb2.RecommendResponse(
        items=[item],
        scene=f"scene{text}",
        model_name=f"model{text}",
        degraded=[f"degraded{text}"],
        arms={f"experiment{text}": "arm"},
        trace=recommend_pb2.Trace(
            stages=[recommend_pb2.StageTrace(stage=f"stage{text}", detail=f"detail{text}", removed={text: 1})]
        ),
    )
    to = console()
    show(to, f"user{text}", answer, {})
    for name in ("title", "kind", "channel", "trigger", "scene", "model", "degraded", "experiment", "user"):
        assert f"{name}{text}" in printed(to)
    for name in ("stage", "detail"):
        assert f"{name}{text}" in printed(to)


@pytest.mark.parametrize("text", BRACKETS)
def test_of_a_rollout(text: str) -> None:
    status = rollout_pb2.RolloutStatus(
        rollout_id=f"id{text}",
        model=f"model{text}",
        reason=f"reason{text}",
        started_by=f"operator{text}",
        checks=[rollout_pb2.RolloutCheck(name=f"check{text}", verdict="pass", reason=f"why{text}")],
    )
    to = console()
    show_status(status, to)
    for name in ("id", "model", "reason", "operator", "check", "why"):
        assert f"{name}{text}" in printed(to)


@pytest.mark.slow
def test_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shopfront", "build", "--data", "no[/such]"]
    ended = subprocess.run(
        [*command, "--workspace", str(tmp_path / "[/]")], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 1
    assert "no[/such]" in "".join(ended.stderr.split("\n"))
    assert "Traceback" not in ended.stderr
