from pathlib import Path

import pytest

from router.scenes.problems import SettingsError
from shopfront.commented_yaml import commented_yaml
from shopfront.settings import default_settings, load_settings
from shopfront.workspace import DEFAULT_FILE, Workspace


def test_the_committed_file_shows_every_key_with_its_default() -> None:
    assert DEFAULT_FILE.read_text() == commented_yaml(default_settings()), (
        "config/shopfront.yaml is stale: run `shopfront config > config/shopfront.yaml`"
    )


def test_an_empty_file_means_the_defaults_below_the_workspace(tmp_path: Path) -> None:
    file = tmp_path / "config" / "shopfront.yaml"
    file.parent.mkdir()
    file.write_text("")
    settings = load_settings(file, Workspace(tmp_path / "shop"))
    assert settings.router.snapshots.folder == tmp_path / "shop" / "snapshots"
    assert settings.router.state.url == f"lmdb://{tmp_path}/shop/state"
    assert settings.router.scenes == tmp_path / "config" / "scenes.yaml"
    assert settings.ingest == default_settings().ingest


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("router: {ingress: {replicas: 0}}", "router.ingress.replicas"),
        ("models: {bst: {network: {dimensions: 3}}}", "models.bst.network.dimensions"),
        (
            "router: {recall: {hto: {}}}",
            "router.recall.hto: unknown key; expected one of again, .*triggers, .*; did you mean hot",
        ),
        (
            "router: {recall: {hot: {half_life_dys: 3}}}",
            "router.recall.hot.half_life_dys: unknown key; .* did you mean half_life_days",
        ),
        ("router: {recall: {mind: {index: flta}}}", "router.recall.mind.index: should be 'auto'"),
        ("router: {tables: {cycles: {}}}", "router.tables.cycles: unknown key"),
        ("sead: 3", "sead"),
        ("seed: 1\nseed: 2", "seed"),
        ("triton: [1]", r"triton: should be a section of keys, got \[1\]"),
        ("router:\n", "router: has no keys below it; give it some, or leave it out"),
        ("- a", "mapping"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "shopfront.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=key):
        load_settings(file, Workspace(tmp_path))


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_file_that_cannot_be_read_is_named_with_the_option(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        SettingsError, match=r"it cannot be read \(.*\); name the configuration file with --config"
    ):
        load_settings(tmp_path / name, Workspace(tmp_path))
