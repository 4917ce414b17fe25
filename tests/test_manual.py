"""The docs speak of what exists: links, tables, the commands with their options, the settings of scenes."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from docs.scene_settings_page import PAGE, scene_settings_page
from loadtest.options import OPTIONS
from shopfront.command_line import app

PROJECT = Path(__file__).parents[1]
PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
]
LOADTEST = {f"--{option.name}" for option in OPTIONS} | {"--help"}
page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))


def without_code(text: str) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@cache
def anchors(path: Path) -> frozenset[str]:
    """Anchors that GitHub makes of the headings of a page, and those that the page names itself."""
    found = set(re.findall(r'<a id="([^"]+)">', path.read_text("utf-8")))
    for heading in re.findall(r"^#+ (.*)$", without_code(path.read_text("utf-8")), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-"))
    return frozenset(found)


@page
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = without_code(page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(path), f"{target}: no heading of that name"


@page
def test_tables_are_whole(page: Path) -> None:
    """A table begins with a head and a rule; every row has the cells of the head."""
    rows: list[str] = []
    for line in [*without_code(page.read_text("utf-8")).splitlines(), ""]:
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            cells = [len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", row))) for row in rows]
            assert len(rows) > 2, f"not a table: {rows[0][:80]}"
            assert re.fullmatch(r"[|:\- ]+", rows[1]), f"a table without a head: {rows[0][:80]}"
            assert len(set(cells)) == 1, f"rows of other lengths: {rows[0][:80]}"
            rows = []


def commands(text: str) -> Iterator[list[str]]:
    """Words of every `shopfront …` in the blocks and code spans of a page, up to a pipe."""
    blocks = re.findall(r"^```(?:bash|sh|console)?\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    spans = re.findall(r"`([^`\n]+)`", without_code(text))
    for line in (*lines, *spans):
        called = re.match(r"(?:\$ )?(?:\.venv/bin/)?shopfront (.*)", line)
        if called:
            words = shlex.split(called[1].replace("…", ""), comments=True)
            yield words[: next((i for i, word in enumerate(words) if word in {"|", "&", ">", "&&"}), None)]


@cache
def shopfront_command() -> Any:
    """The command line with all of its commands."""
    return get_command(app)


def unknown(words: list[str]) -> list[str]:
    """Commands and options among the words of a call that `shopfront` does not have."""
    command = shopfront_command()
    # A group has `commands`; typer has its own copy of click, whose classes cannot be asked for.
    while hasattr(command, "commands") and words and not words[0].startswith(("-", "[")):
        if words[0] not in command.commands:
            return [words[0]]
        command, words = command.commands[words[0]], words[1:]
    if command.name == "loadtest":
        known = LOADTEST
    else:
        known = {"--help", *(name for parameter in command.params for name in parameter.opts)}
        known |= {name for parameter in command.params for name in parameter.secondary_opts}
    given = (word.strip("[]").partition("=")[0] for word in words)
    return [word for word in given if word.startswith("--") and word not in known]


@page
def test_commands_and_options_exist(page: Path) -> None:
    for words in commands(page.read_text("utf-8")):
        assert not unknown(words), f"shopfront {' '.join(words)}: no {unknown(words)}"


def test_a_command_that_does_not_exist_is_found() -> None:
    text = "```\nshopfront rollout start 3 --stages 1%  # one\n$ .venv/bin/shopfront bild | tee x\n```\n"
    assert [unknown(words) for words in commands(text)] == [["--stages"], ["bild"]]
    assert not unknown(["loadtest", "--slo", "p99=5ms", "-r", "50"])


def test_the_page_of_scene_settings_is_current() -> None:
    assert PAGE.read_text("utf-8") == scene_settings_page(), "run `make docs`"


def test_every_component_says_what_it_does_and_every_key_what_it_means() -> None:
    text = scene_settings_page()
    assert not re.findall(r"^### (\w+)\n\n(?![A-Z])", text, re.MULTILINE)
    assert not re.findall(r"^\| `([^`]+)` .*\|  \|$", text, re.MULTILINE)
    assert "| `window_days` | `30.0` |" in text
    assert "| `rules[].window` | `4` | at least 2, at most 100 |" in text
    assert "| `modulation.bounds.<name>.most` | `2.0` | at least 1, at most 10 |" in text


def examples(page: Path) -> Iterator[ast.Module]:
    """The blocks of Python of a page, parsed; neither lines of a file nor signatures (architecture.md)."""
    if page.name != "architecture.md":
        for block in re.findall(
            r"^```python\n(?! )(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
        ):
            yield ast.parse(block)


@page
def test_examples_in_python_import_what_exists(page: Path) -> None:
    rooms = {path.name for path in PROJECT.iterdir() if (path / "__init__.py").exists()}
    for example in examples(page):
        for node in ast.walk(example):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in rooms:
                for alias in node.names:
                    module = importlib.import_module(node.module)
                    found = hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}")
                    assert found, f"{node.module} has no {alias.name}"


@page
def test_examples_in_python_name_fields_of_the_contract(page: Path) -> None:
    for example in examples(page):
        for call in (node for node in ast.walk(example) if isinstance(node, ast.Call)):
            module, _, name = ast.unparse(call.func).partition(".")
            if re.fullmatch(r"\w+_pb2", module) and find_spec(f"protos.shopfront.v1.{module}"):
                contract = importlib.import_module(f"protos.shopfront.v1.{module}")
                fields = getattr(contract, name).DESCRIPTOR.fields_by_name
                assert {keyword.arg for keyword in call.keywords} <= set(fields), ast.unparse(call)
