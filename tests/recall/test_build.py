import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.stages import EMPTY_RECALL
from recall.build import (
    build_channels,
    enabled_channels,
    open_channels,
    switched_off,
)
from recall.channel import ChannelKind
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from recall.vector_index import VectorIndexSettings, open_index, write_index
from registration.registry import RegistrationError
from snapshot import SnapshotError
from tests.recall.conftest import every_channel
from tests.recall.small_shop import NO_INTERESTS, make_catalogue, make_source


def checksums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_each_channel_has_its_folder_and_reports_what_it_holds(shop):
    assert {path.name for path in shop.folder.iterdir()} == set(CHANNELS) == set(shop.rows)
    for name, rows in shop.rows.items():
        assert rows, name
        assert all(count > 0 for count in rows.values()), (name, rows)


def test_nothing_after_now_is_used(shop, tmp_path):
    past = shop.source.events.filter(pl.col("ts") <= shop.source.now)
    assert 0 < past.height < shop.source.events.height
    build_channels(replace(shop.source, events=past), tmp_path / "recall", every_channel())
    assert checksums(tmp_path / "recall") == checksums(shop.folder)


def test_progress_rises_to_the_end_and_names_every_channel(shop):
    shares = [share for _, share in shop.progress]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert {stage.removeprefix("recall: ") for stage, _ in shop.progress[:-1]} == set(CHANNELS)


def test_a_channel_switched_off_is_neither_built_nor_opened(shop, tmp_path):
    # The one channel of its model, which then need not be trained.
    settings = every_channel()
    off = settings.sequential.model_copy(update={"enabled": False})
    settings = settings.model_copy(update={"sequential": off})
    assert enabled_channels(settings) == [name for name in CHANNELS if name != "sequential"]
    others = {model: vectors for model, vectors in shop.source.vectors.items() if model != "sequential"}
    rows = build_channels(replace(shop.source, vectors=others), tmp_path, settings)
    assert "sequential" not in rows
    assert not (tmp_path / "sequential").exists()
    assert "sequential" not in open_channels(tmp_path, shop.dataset.catalogue, NO_INTERESTS, settings)


def test_a_channel_that_has_nothing_to_recall_switches_itself_off_and_says_why(tmp_path):
    catalogue = make_catalogue(tmp_path, [1, 1, 2])
    # Everybody took one item only, and never came back.
    source = make_source(catalogue, [(1, 1, 5, 10), (2, 2, 5, 20), (3, 2, 5, 30)])
    settings = RecallSettings.model_validate(
        {name: {"enabled": name in ("hot", "visit_knn", "item_knn", "user_knn")} for name in CHANNELS}
    )
    rows = build_channels(source, tmp_path / "recall", settings)
    assert rows["visit_knn"] == {}
    assert switched_off(tmp_path / "recall", settings) == {
        "item_knn": "no shopper of the log did anything with two items",
        "visit_knn": "no visit of the log holds two items",
        "user_knn": "no shopper of the log took two items",
    }
    assert list(open_channels(tmp_path / "recall", catalogue, NO_INTERESTS, settings)) == ["hot"]


def test_every_channel_has_a_section_of_settings():
    assert {name: type(section) for name, section in RecallSettings().sections().items()} == {
        name: kind.settings for name, kind in CHANNELS.items()
    }


class NearSettings(VectorIndexSettings):
    """Settings of a channel that a plug-in registers."""


class NoCandidates:
    name = "near"

    async def recall(self, query, k):
        return EMPTY_RECALL


def near_kind(models: tuple[str, ...] = ("graph",)) -> ChannelKind:
    """A channel with a model of its own that keeps the vectors' shape and recalls nothing."""

    def build(source, folder, settings):
        vectors = source.item_vectors("graph", "the channel near")
        write_index(folder / "index", vectors[1:], settings, source.seed)
        return {"indexed": len(vectors) - 1}

    def open_near(folder, catalogue, services, settings):
        assert open_index(folder / "index").ntotal == catalogue.size
        return NoCandidates()

    return ChannelKind(NearSettings, build, open_near, models)


@pytest.fixture
def near():
    CHANNELS.add("near", near_kind(), "my_shop")
    yield CHANNELS["near"]
    CHANNELS.remove("my_shop")


def test_a_channel_of_a_plug_in_is_configured_built_and_opened_like_any_other(shop, tmp_path, near):
    settings = RecallSettings.model_validate(
        {"near": {"threads": 3}} | {name: {"enabled": False} for name in CHANNELS if name != "near"}
    )
    assert settings.near.threads == 3
    with pytest.raises(ValueError, match="the channel near needs item vectors of the model graph, and there"):
        build_channels(shop.source, tmp_path / "without", settings)
    source = replace(shop.source, vectors=shop.source.vectors | {"graph": shop.source.vectors["mind"]})
    assert build_channels(source, tmp_path / "with", settings) == {
        "near": {"indexed": shop.dataset.catalogue.size}
    }
    opened = open_channels(tmp_path / "with", shop.dataset.catalogue, NO_INTERESTS, settings)
    assert list(opened) == ["near"]
    with pytest.raises(ValidationError, match="near"):
        RecallSettings.model_validate({"near": {"threads": 0}})


def test_a_channel_named_like_a_setting_is_refused():
    CHANNELS.add("triggers", near_kind(), "my_shop")
    try:
        with pytest.raises(RegistrationError, match="a member is named triggers"):
            RecallSettings()
    finally:
        CHANNELS.remove("my_shop")


@pytest.mark.parametrize("name", list(CHANNELS))
def test_tables_of_another_catalogue_are_refused(shop, tmp_path, name):
    other = make_catalogue(tmp_path, [1, 2, 3])
    with pytest.raises(SnapshotError, match=name):
        CHANNELS[name].open(shop.folder / name, other, NO_INTERESTS, getattr(every_channel(), name))


@pytest.mark.parametrize("name", list(CHANNELS))
def test_missing_tables_are_refused_by_name(shop, tmp_path, name):
    with pytest.raises(SnapshotError, match="build"):
        CHANNELS[name].open(tmp_path, shop.dataset.catalogue, NO_INTERESTS, getattr(every_channel(), name))


def test_asking_imports_neither_torch_nor_polars_nor_scipy():
    loaded = (
        "import sys, recall.build, recall.triggers; print({'torch', 'polars', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
