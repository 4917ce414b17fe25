"""The proposed patch loads and means what `auto` means; the report says what was measured and why."""

from __future__ import annotations

from io import StringIO

import pytest
import yaml
from rich.console import Console

from features.shop_fit.proposal import propose
from recall.registry import CHANNELS
from router.scenes.fit_shop import fit_scene, open_settings
from router.scenes.load import KnownNames, load_scenes, read_scenes
from router.scenes.merge_patch import merge_patch
from shopfront.scene_patch import print_patch, scene_patch
from shopfront.shop_report import shop_tables
from snapshot.shop_facts import ShopFacts
from tests.features.shop_fit.shops import FASHION, FILMS, GROCER
from tests.router.scenes.test_load import CONFIG

KNOWN = KnownNames(CHANNELS)
SHOPS = pytest.mark.parametrize("facts", [GROCER, FILMS, FASHION])


@SHOPS
def test_the_patch_names_what_auto_stands_for(facts: ShopFacts) -> None:
    scenes = load_scenes(CONFIG, KNOWN)
    patch = yaml.safe_load(scene_patch(facts, scenes))
    patched = read_scenes(
        yaml.safe_dump(merge_patch(yaml.safe_load(CONFIG.read_text()), patch), sort_keys=False).encode(),
        "patched",
        KNOWN,
    )
    for name, scene in patched.by_name.items():
        assert not list(open_settings(scene))
        assert scene == fit_scene(name, scenes[name], facts)


@SHOPS
def test_every_proposed_value_has_its_reason_above_it(facts: ShopFacts) -> None:
    lines = scene_patch(facts, load_scenes(CONFIG, KNOWN)).splitlines()
    for number, line in enumerate(lines):
        if any(key in line for key in ("window_days:", "learned:", "enabled: ", "rules:", "again:")):
            assert lines[number - 1].lstrip().startswith("# ")


def test_scenes_without_again_have_no_share_of_it() -> None:
    scenes = read_scenes(b"scenes: {home: {channels: {hot: {}}}}", "mine.yaml", KNOWN)
    text = scene_patch(GROCER, scenes)
    assert "again" not in yaml.safe_load(text).get("scenes", {})
    assert text.startswith("# Proposed for mine.yaml")


def test_the_report_shows_measures_and_reasons_and_the_patch_is_not_cut() -> None:
    output = StringIO()
    console = Console(file=output, width=200)
    for table in shop_tables(FILMS):
        console.print(table)
    print_patch(Console(file=output, width=40), FILMS, load_scenes(CONFIG, KNOWN))
    text = output.getvalue()
    for part in (
        "purchases that repeat 0.3% of an item bought on an earlier day",
        "purchase_cycle: learned on 900,000 purchases after",
        "purchase_cycle: window_days for ever 0.3% of 900,000 purchases",
        "again: share left out 0.4% of",
        "dedup: enabled on 1% of 90,000 titled items",
    ):
        assert part in " ".join(text.split())
    reason = propose(FILMS).window_days.reason
    assert f"      # {reason}\n      window_days: 36500.0\n" in text
    assert "      again: {share: 0.0, enabled: false}\n" in text
