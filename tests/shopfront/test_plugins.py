"""The setting `plugins`: loaded before the rest of the file is read, and refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from evaluation.sample_rules.registry import SAMPLE_RULES
from ingest.cleaning.rules import RULES
from ingest.importers.registry import IMPORTERS
from registration.registry import RegistrationError
from router.scenes.problems import SettingsError
from server import plugins as serving_plugins
from shopfront.build_steps import Build
from shopfront.plugins import building_registries, load_for_building
from shopfront.progress import Progress
from shopfront.settings import default_settings, load_settings
from shopfront.workspace import PROJECT, Workspace

pytestmark = pytest.mark.slow

PARTS = """
from ingest.cleaning.rule import CleaningRule, RuleSettings
from ingest.importers.registry import Importer
from pydantic import Field

class NoNightSettings(RuleSettings):
    \"\"\"Events of the night.\"\"\"

    until_hour: int = Field(5, description="Hour until which a night lasts.")

def keep(events, settings, evidence):
    return events["ts_ms"] % 86_400_000 >= settings.until_hour * 3_600_000

RULES = {"no_night": CleaningRule(NoNightSettings, keep)}
IMPORTERS = {"mine": Importer(lambda folder: False, lambda folder, now: None, "mine.csv")}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a plug-in and a configuration that names it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "shop_parts.py").write_text(PARTS)
    (tmp_path / "shopfront.yaml").write_text(
        "plugins: [shop_parts]\ningest: {cleaning: {no_night: {until_hour: 6}}}\n"
    )
    yield tmp_path
    for registry in (RULES, IMPORTERS):
        registry.remove("shop_parts")
    sys.modules.pop("shop_parts", None)


def test_sections_of_the_settings_come_from_plugins(shop: Path) -> None:
    settings = load_settings(shop / "shopfront.yaml", Workspace(shop / "work"))
    assert settings.plugins == ("shop_parts",)
    assert settings.ingest.cleaning.no_night.until_hour == 6
    assert settings.ingest.cleaning.no_night.enabled
    assert list(settings.ingest.cleaning.sections())[-1] == "no_night"
    assert "mine" not in IMPORTERS
    load_for_building(settings.plugins)
    assert IMPORTERS.source("mine") == "shop_parts"


def test_what_only_building_uses_is_known_to_serving_by_name() -> None:
    registries = (RULES, SAMPLE_RULES, *building_registries())
    assert {registry.attribute for registry in registries} == set(serving_plugins.OFFLINE_ATTRIBUTES)


@pytest.mark.parametrize("plugins", ["shop_parts", "[1]", "['a b']", "['']", "{a: b}", "['a-b']"])
def test_something_else_than_module_names_is_refused(tmp_path: Path, plugins: str) -> None:
    file = tmp_path / "shopfront.yaml"
    file.write_text(f"plugins: {plugins}\n")
    with pytest.raises(SettingsError, match="plugins: a list of dotted module names is expected"):
        load_settings(file, Workspace(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "evaluate"])
def test_a_bad_plugin_ends_the_command_in_one_line_before_anything_is_made(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "broken_parts.py").write_text("FILTERS = {'adult': 1}\n")
    config = tmp_path / "shopfront.yaml"
    config.write_text("plugins: [broken_parts]\n")
    done = subprocess.run(
        [sys.executable, "-m", "shopfront", command, "--config", str(config), "--workspace", "made"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "shopfront: two filters are named adult: one of shopfront and one of broken_parts" in (
        " ".join(done.stderr.split())
    )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "made").exists()


def test_the_printed_configuration_contains_the_plugins_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "model_parts.py").write_text(
        "import dataclasses\nfrom models.mind import MODEL\nfrom ingest.cleaning.rules import RULES as r\n"
        "MODELS = {'graph': dataclasses.replace(MODEL, teachers=())}\nRULES = {'late': r['bot_clickers']}\n"
    )
    config = tmp_path / "shopfront.yaml"
    config.write_text("plugins: [model_parts]\n")
    printed = [
        subprocess.run(
            [sys.executable, "-m", "shopfront", "config", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for arguments in ([], ["--config", str(config)])
    ]
    built_in, with_plugins = map(yaml.safe_load, printed)
    assert printed[0] == (PROJECT / "config" / "shopfront.yaml").read_text()
    assert with_plugins["models"].pop("graph") == built_in["models"]["mind"]
    assert with_plugins["ingest"]["cleaning"].pop("late") == built_in["ingest"]["cleaning"]["bot_clickers"]
    assert with_plugins == built_in


def test_a_message_that_looks_like_markup_is_printed_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "marked_parts.py").write_text("raise ValueError('[red]not a colour[/nor its end]')\n")
    (tmp_path / "shopfront.yaml").write_text("plugins: [marked_parts]\n")
    done = subprocess.run(
        [sys.executable, "-m", "shopfront", "serve", "--config", "shopfront.yaml", "--workspace", "made"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ValueError: [red]not a colour[/nor its end]" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_key_of_a_plugin_without_a_description_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "terse_parts.py").write_text(
        "import dataclasses\nfrom recall.channel import ChannelSettings\nfrom recall.hot import CHANNEL\n"
        "class Terse(ChannelSettings):\n    'Terse.'\n    kept: int = 3\n"
        "CHANNELS = {'terse': dataclasses.replace(CHANNEL, settings=Terse)}\n"
    )
    (tmp_path / "shopfront.yaml").write_text("plugins: [terse_parts]\n")
    done = subprocess.run(
        [sys.executable, "-m", "shopfront", "config", "--config", "shopfront.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "terse of terse_parts has the class Terse as `settings`, whose field kept has no description" in (
        " ".join(done.stderr.split())
    )
    assert "Traceback" not in done.stderr


def test_a_candidate_of_a_model_that_is_not_registered_is_refused(tmp_path: Path) -> None:
    build = Build(Workspace(tmp_path), default_settings(), None, Progress(Console()))
    with pytest.raises(RegistrationError, match="needs the model nope, which is not registered"):
        build.candidate("nope")
