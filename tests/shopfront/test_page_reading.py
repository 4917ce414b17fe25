"""`shopfront pages` on a small shop whose ranking model was never trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from features.profile import PROFILE_FIELDS
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import TrainedOn, record_of, save_checkpoint
from models.item_features import ItemFeatures
from shopfront.build_record import BuildRecord
from shopfront.command_end import Refused
from shopfront.command_line import app
from shopfront.page_reading import ANONYMOUS, PageReader
from shopfront.progress import Progress
from shopfront.settings import configured_tables, load_settings
from shopfront.snapshot_build import build_snapshot
from shopfront.workspace import Workspace
from snapshot.dataset import DatasetStore
from snapshot.store import SnapshotStore
from testing.synthetic_shop import synthetic_dataset

SETTINGS = "router: {recall: {mind: {enabled: false}}}\n"
SCENES = """
defaults:
  filters: {excluded: {}, out_of_stock: {}, already_bought: {window_days: 1.0}}
scenes:
  home:
    channels: {ranki2i: {share: 0.5}, again: {share: 0.5}, hot: {share: 0}}
  cart:
    channels: {hot: {}}
    ranking: {enabled: false}
  similar_items:
    channels: {bought_together: {}, hot: {share: 0}}
    ranking: {scorers: {anchor: {}}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Path]:
    """A workspace with a published snapshot, and its configuration file."""
    root = tmp_path_factory.mktemp("shop")
    (root / "config").mkdir()
    config = root / "config" / "shopfront.yaml"
    config.write_text(SETTINGS)
    (root / "config" / "scenes.yaml").write_text(SCENES)
    (root / "config" / "experiments.yaml").write_text("layers: {}\n")
    workspace = Workspace(root / "workspace")
    settings = load_settings(config, workspace)
    dataset = synthetic_dataset(workspace.root, users=60, items=120, events=3000)
    counts = tuple(len(dataset.catalogue.profile_vocab.get(field, ())) for field in PROFILE_FIELDS)
    torch.manual_seed(0)
    network = Bst(
        BstNetworkSettings(dimension=16, hidden=(32,)), ItemFeatures.from_catalogue(dataset.catalogue), counts
    )
    record = record_of(
        "bst", network.settings, TrainedOn.of(dataset), seed=1, steps=0, metrics={}, training={}
    )
    save_checkpoint(network, record, workspace.checkpoints / "bst" / "untrained")
    BuildRecord(workspace.build_record).keep("checkpoint bst", "", "untrained")
    progress = Progress(Console(quiet=True))
    tables = configured_tables(settings)
    SnapshotStore(workspace.snapshots).publish(
        build_snapshot(workspace, settings, dataset, {}, {"bst": 1}, tables, {}, progress)
    )
    return workspace, config


@pytest.fixture(scope="module")
def reader(shop: tuple[Workspace, Path]) -> PageReader:
    workspace, config = shop
    return PageReader.open(workspace, load_settings(config, workspace), [])


def test_a_shoppers_newest_items_are_beside_the_pages(reader: PageReader) -> None:
    (user,) = reader.draw(1, seed=3)
    sheet = reader.pages_for(user, 6)
    assert [column.heading for column in sheet.columns] == ["took last", "home", "cart"]
    assert user in sheet.title
    log, index = reader.log.behaviours, reader.users[user]
    newest = list(dict.fromkeys(log.item[log.user == index][::-1].tolist()))
    assert sheet.columns[0].titles == reader.catalogue.titles(np.array(newest[:6]))
    taken = set(reader.catalogue.titles(np.array(newest)))
    for page in sheet.columns[1:]:
        assert len(page.titles) == len(set(page.titles)) == 6
        assert page.marked == [title in taken for title in page.titles]
    # `again` recalls what was taken before, `hot` what was not.
    marks = {mark for user in reader.draw(10, seed=3) for mark in reader.pages_for(user, 6).columns[1].marked}
    assert marks == {True, False}


def test_the_snapshot_keeps_what_was_measured_on_the_log(shop: tuple[Workspace, Path]) -> None:
    workspace, _ = shop
    measured = DatasetStore(workspace.datasets).open_current(verify=False).manifest.shop
    assert measured is not None
    assert SnapshotStore(workspace.snapshots).open_current(verify=False).manifest.shop == measured


def test_nobody_knows_the_anonymous_shopper(reader: PageReader) -> None:
    sheet = reader.pages_for(ANONYMOUS, 5)
    assert [column.heading for column in sheet.columns] == ["home", "cart"]
    for page in sheet.columns:
        assert len(page.titles) == 5
        assert not any(page.marked)


def test_pages_about_items_leave_them_out_and_differ(reader: PageReader) -> None:
    log = reader.log.behaviours
    popular = np.argsort(-np.bincount(log.item), kind="stable")[:2].astype(np.int32)
    about = replace(reader, pipelines={"similar_items": reader.pipelines["similar_items"]})
    (sheet,) = about.pages_about(reader.catalogue.item_ids(popular), ANONYMOUS, 5)
    titles = reader.catalogue.titles(popular)
    assert [column.heading for column in sheet.columns] == titles
    for title, page in zip(titles, sheet.columns, strict=True):
        assert len(page.titles) == 5
        assert title not in page.titles
    assert sheet.columns[0].titles != sheet.columns[1].titles


def test_the_draw_follows_the_seed_and_takes_active_shoppers(reader: PageReader) -> None:
    drawn = reader.draw(4, seed=1)
    assert drawn == reader.draw(4, seed=1)
    assert drawn != reader.draw(4, seed=2)
    for user in drawn:
        assert (reader.log.behaviours.user == reader.users[user]).any()


def test_the_command_prints_them(shop: tuple[Workspace, Path]) -> None:
    workspace, config = shop
    user = "u0000"
    base = ["pages", "--workspace", str(workspace.root), "--config", str(config)]
    printed = CliRunner().invoke(app, [*base, "--user", user, "--size", "3"], catch_exceptions=False).output
    for text in (f"shopper {user}", "an anonymous shopper", "took last", "home", "cart", "took it before"):
        assert text in printed
    item = "i0001"
    printed = CliRunner().invoke(app, [*base, "--item", item], catch_exceptions=False).output
    assert "similar_items for an anonymous shopper" in printed


def test_a_workspace_that_was_not_built_is_refused(shop: tuple[Workspace, Path], tmp_path: Path) -> None:
    with pytest.raises(Refused, match="run shopfront build first"):
        CliRunner().invoke(
            app,
            ["pages", "--workspace", str(tmp_path), "--config", str(shop[1])],
            catch_exceptions=False,
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--user", "nobody"], "no shopper nobody"),
        (["--item", "i9999"], "no item i9999"),
        (["--scene", "hallway"], r"no scene hallway.*name one of home, cart, similar_items"),
        (["--scene", "similar_items"], "--item"),
    ],
)
def test_a_wrong_name_is_refused_with_what_to_do(
    shop: tuple[Workspace, Path], arguments: list[str], message: str
) -> None:
    workspace, config = shop
    base = ["pages", "--workspace", str(workspace.root), "--config", str(config)]
    with pytest.raises(Refused, match=message):
        CliRunner().invoke(app, [*base, *arguments], catch_exceptions=False)
