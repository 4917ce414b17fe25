"""`auto` becomes what suits the shop; what a scene names stays; without measures `auto` is refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from router.filters.already_bought import AlreadyBoughtSettings
from router.rerank.dedup import DedupSettings
from router.scenes.assemble import assemble
from router.scenes.fit_shop import fit_scene
from router.scenes.load import KnownNames, load_scenes
from router.scenes.problems import SettingsError
from router.scenes.recall_settings import SceneChannel
from tests.features.shop_fit.shops import FASHION, FILMS, GROCER
from tests.router.scenes.test_assemble import CATALOGUE, live
from tests.router.scenes.test_load import CHANNELS, CONFIG, read, refused

OPEN = """
scenes:
  home:
    channels: {ranki2i: {share: 0.2}, again: {share: auto, k: 50}, hot: {share: 0.1}}
    filters: {already_bought: {window_days: auto}}
    rerank: {dedup: {enabled: auto}}
    ranking: {enabled: false}
"""


def test_every_auto_gets_a_value_and_all_else_stays() -> None:
    scene = read(OPEN)["home"]
    fitted = fit_scene("home", scene, GROCER)
    # Three quarters of the weight are three times what the others have.
    assert fitted.channels == scene.channels | {"again": SceneChannel(share=0.9, k=50)}
    assert fitted.filters == {"already_bought": AlreadyBoughtSettings(window_days=1.0)}
    assert fitted.rerank == {"dedup": DedupSettings(enabled=False)}
    changed = {"channels", "filters", "rerank"}
    assert fitted.model_dump(exclude=changed) == scene.model_dump(exclude=changed)


def test_a_film_shop_goes_without_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fitted = fit_scene("home", read(OPEN)["home"], FILMS)
    assert "scene home: channels.again.share is 0.0: 0.4% of 900,000 takes repeat" in caplog.text
    assert fitted.shares() == {"ranki2i": 0.2, "hot": 0.1}
    pipeline = assemble("home", fitted, live(ranki2i=[1], again=[2], hot=[3]), CATALOGUE, {})
    assert pipeline.channel_names == ("ranki2i", "hot")


@pytest.mark.parametrize("facts", [GROCER, FILMS, FASHION, None])
def test_what_a_scene_names_is_never_changed(facts: object) -> None:
    text = OPEN.replace("share: auto", "share: 0.7").replace("window_days: auto", "window_days: 5.0")
    scene = read(text.replace("enabled: auto", "enabled: true"))["home"]
    assert fit_scene("home", scene, facts) is scene  # type: ignore[arg-type]


def test_a_scene_file_of_before_means_what_it_meant() -> None:
    text = "scenes: {home: {rerank: {dedup: {}}, filters: {already_bought: {}}, channels: {again: {}}}}"
    scene = read(text)["home"]
    assert fit_scene("home", scene, None) is scene
    assert scene.rerank["dedup"] == DedupSettings(enabled=True)
    assert scene.filters["already_bought"] == AlreadyBoughtSettings(window_days=30.0)
    assert scene.channels["again"] == SceneChannel(share=1.0)


def test_auto_without_measures_is_refused_by_its_key() -> None:
    scene = read(OPEN)["home"]
    with pytest.raises(SettingsError) as caught:
        fit_scene("home", scene, None)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "scenes.home.channels.again.share",
        "scenes.home.filters.already_bought.window_days",
        "scenes.home.rerank.dedup.enabled",
    ]
    assert all("run shopfront build, or name a value" in problem for problem in caught.value.problems)
    with pytest.raises(SettingsError, match=r"already_bought\.window_days: auto follows"):
        assemble("home", scene, live(ranki2i=[1], hot=[1]), CATALOGUE, {})


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (
            "{channels: {hot: {}, again: {share: Auto}}}",
            "scenes.a.channels.again.share: should be a number or auto, got 'Auto'",
        ),
        (
            "{channels: {hot: {share: auto}, again: {}}}",
            "scenes.a.channels.hot.share: auto is known of again alone; name a share",
        ),
        (
            "{channels: {again: {share: auto}, hot: {share: 0}}}",
            "scenes.a.channels: the channels' shares must sum to more than 0 beside auto",
        ),
        (
            "{channels: {again: {}, hot: {enabled: auto}}}",
            "scenes.a.channels.hot.enabled: should be a valid boolean, got 'auto'",
        ),
        (
            "{filters: {already_bought: {window_days: never}}}",
            "scenes.a.filters.already_bought.window_days: should be a number or auto, got 'never'",
        ),
        (
            "{filters: {already_bought: {window_days: 36501}}}",
            "scenes.a.filters.already_bought.window_days: should be less than or equal to 36500",
        ),
        (
            "{rerank: {dedup: {enabled: perhaps}}}",
            "scenes.a.rerank.dedup.enabled: should be true, false or auto, got 'perhaps'",
        ),
    ],
)
def test_a_mistake_is_named_by_its_key(scene: str, message: str) -> None:
    problems = refused(f"scenes: {{a: {scene}}}")
    assert message in problems
    assert len(problems.splitlines()) == 1


def test_dedup_switched_off_keeps_the_order() -> None:
    scene = fit_scene("home", read(OPEN)["home"], GROCER)
    (dedup,) = assemble("home", scene, live(ranki2i=[1], hot=[1]), CATALOGUE, {}).rerankers
    found = type("Found", (), {"__len__": lambda self: 4})()
    assert np.array_equal(dedup.order(None, found, 4), [0, 1, 2, 3])  # type: ignore[arg-type]


@pytest.mark.parametrize("facts", [GROCER, FILMS, FASHION])
def test_the_projects_scenes_fit_every_shop(facts: object) -> None:
    for name, scene in load_scenes(CONFIG, KnownNames(CHANNELS)).by_name.items():
        fitted = fit_scene(name, scene, facts)  # type: ignore[arg-type]
        assert sum(fitted.shares().values()) > 0
        assert fit_scene(name, fitted, None) is fitted
    home = fit_scene("home", load_scenes(CONFIG, KnownNames(CHANNELS))["home"], GROCER)
    assert home.shares()["again"] == 0.75
