"""The channel of CONTRIBUTING.md, as it is printed there."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from recall.channel import ChannelKind
from recall.registry import CHANNELS
from registration.plugins import load_plugins
from router.scenes.load import KnownNames, load_scenes
from snapshot.manifest import SnapshotError
from tests.recall.conftest import BuiltShop
from tests.recall.small_shop import NO_INTERESTS, assert_well_formed, make_catalogue, make_query

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "CONTRIBUTING.md").read_text()
NAME = "new_arrivals"


def code(language: str, begin: str) -> str:
    """The first block of code in CONTRIBUTING.md in a language that begins so."""
    blocks = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return next(block for block in blocks if block.strip().startswith(begin))


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file of step 1."""
    made = ModuleType(f"recall_{NAME}")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    exec(compile(code("python", '"""'), "CONTRIBUTING.md", "exec"), vars(made))  # noqa: S102
    return made


@pytest.fixture
def registered(module: ModuleType) -> Iterator[ChannelKind]:
    """The channel, registered as a plug-in does it."""
    module.CHANNELS = {NAME: module.CHANNEL}  # type: ignore[attr-defined]
    load_plugins([module.__name__], [CHANNELS])
    yield CHANNELS[NAME]
    CHANNELS.remove(module.__name__)


def test_the_channel_recalls_the_newest_items(
    registered: ChannelKind, shop: BuiltShop, tmp_path: Path
) -> None:
    catalogue = shop.dataset.catalogue
    settings = registered.settings(kept=50)
    rows = registered.build(shop.source, tmp_path, settings)
    channel = registered.open(tmp_path, catalogue, NO_INTERESTS, settings)
    assert (rows, channel.name) == ({"items": 50}, NAME)
    for k in (0, 1, 10, 1_000):
        recalled = asyncio.run(channel.recall(make_query(), k))
        assert_well_formed(recalled, k, ())
        assert len(recalled.items) == min(k, 50)
    created_at = catalogue.created_at[recalled.items]
    assert catalogue.in_stock[recalled.items].all()
    assert created_at.min() >= sorted(catalogue.created_at[catalogue.in_stock])[-50]
    with pytest.raises(SnapshotError, match="has items that the catalogue lacks"):
        registered.open(tmp_path, make_catalogue(tmp_path, [1, 2, 3]), NO_INTERESTS, settings)


def test_the_line_in_the_registry_is_like_those_there(module: ModuleType) -> None:
    line = code("python", f"{NAME}.NAME").replace(NAME, "again")
    assert line in (PROJECT / "recall" / "registry.py").read_text()


def test_a_scene_takes_the_line(registered: ChannelKind, tmp_path: Path) -> None:
    scenes = yaml.safe_load((PROJECT / "config" / "scenes.yaml").read_text())
    scenes["scenes"]["home"]["channels"] |= yaml.safe_load(code("yaml", NAME))
    file = tmp_path / "scenes.yaml"
    file.write_text(yaml.safe_dump(scenes))
    home = load_scenes(file, KnownNames(tuple(CHANNELS))).by_name["home"]
    assert home.channels[NAME].share == 0.05


def test_the_commands_are_those_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", TEXT)) - {"any"} <= targets


def test_the_files_it_names_exist() -> None:
    named = {path for path in re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT) if "://" not in path}
    assert named
    assert all((PROJECT / path).exists() for path in named), named
