"""The rooms: which are installed, what they import, how large one may be, what a serving process loads."""

import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from docs.rooms_table import ARCHITECTURE, PROJECT, RoomsTableError, imports_between, rooms, with_imports

LARGEST_SHARE = 0.15
NOT_INSTALLED = {"tests", "benchmarks", "testing", "docs"}


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    """The tables of pyproject.toml below `tool`."""
    return dict(tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"])


def folders_of_code() -> set[str]:
    """Top-level folders with Python files in them, without what is built and what is hidden."""
    folders = (path for path in PROJECT.iterdir() if path.is_dir() and not path.name.startswith("."))
    return {path.name for path in folders if path.name != "build" and any(path.rglob("*.py"))}


def lines_of(room: str) -> int:
    """Lines of the Python of a room, without what is generated from the protos."""
    files = (
        path for path in (PROJECT / room).rglob("*.py") if not re.search(r"_pb2(_grpc)?\.py$", path.name)
    )
    return sum(len(path.read_text().splitlines()) for path in files)


def test_every_folder_of_code_is_a_room_with_a_layer(tool: dict[str, Any]) -> None:
    assert set(rooms()) == folders_of_code() - NOT_INSTALLED
    assert set(rooms()) <= set(tool["importlinter"]["root_packages"])


def test_what_is_for_development_is_not_installed(tool: dict[str, Any]) -> None:
    installed = {pattern.rstrip("*") for pattern in tool["setuptools"]["packages"]["find"]["include"]}
    assert not installed & NOT_INSTALLED
    assert set(tool["mypy"]["packages"]) == installed | {"benchmarks", "testing", "docs"}


def test_circles_are_looked_for_in_every_room(tool: dict[str, Any]) -> None:
    (circles,) = (each for each in tool["importlinter"]["contracts"] if each["id"] == "circles")
    assert set(circles["ancestors"]) == set(tool["importlinter"]["root_packages"]) - {"tests"}


def test_no_room_outgrows_the_others() -> None:
    sizes = {room: lines_of(room) for room in rooms()}
    largest = max(sizes, key=lambda room: sizes[room])
    assert sizes[largest] < LARGEST_SHARE * sum(sizes.values()), f"{largest} should be parted: {sizes}"


def test_the_rooms_table_is_current() -> None:
    text = ARCHITECTURE.read_text()
    assert with_imports(text, imports_between(rooms())) == text, "run make docs"


def test_a_wrong_rooms_table_is_corrected_or_refused() -> None:
    table = "| `router/` | the request path | everything |\n| `recall/` | channels, one | each | – |\n"
    assert with_imports(table, {"router": ["recall"], "recall": []}) == (
        "| `router/` | the request path | recall |\n| `recall/` | channels, one | each | – |\n"
    )
    with pytest.raises(RoomsTableError, match="has the rooms router, state in this order"):
        with_imports(table, {"router": ["state"], "state": []})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        (("server.startup", "server.ingress.own_grpc", "server.ingress.serve_haproxy"), ("torch", "polars")),
        (("shopfront.command_line", "shopfront.serve"), ("torch", "polars", "ray")),
        (
            ("server.ingress.router_process", "server.ingress.add_services", "server.ingress.reflection"),
            ("torch", "polars", "ray", "numpy", "snapshot", "state", "recall", "router.scenes"),
        ),
    ],
    ids=["a replica", "the supervisor", "what starts Ray and passes calls on"],
)
def test_serving_loads_nothing_that_only_training_needs(
    modules: tuple[str, ...], unwanted: tuple[str, ...]
) -> None:
    code = f"import sys, {', '.join(modules)}\nprint([name for name in {unwanted!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
