"""The query features that a scene's components name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from recall.registry import CHANNELS
from registration.registry import RegistrationError
from router.filters.registry import FILTERS
from router.rerank.registry import RERANKERS
from router.scenes import features
from router.scenes.features import check_features, scene_features
from router.scenes.settings import BackfillSettings, ChannelSettings, SceneSettings


@pytest.fixture(autouse=True)
def naming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components that name features: one of each concept."""
    named = {
        "CHANNELS": {**CHANNELS, "again": reads("bought"), "near": reads("place")},
        "FILTERS": {**FILTERS, "adult": reads("impressions", "age")},
        "RERANKERS": {**RERANKERS, "dedup": reads("impressions")},
    }
    for concept, kinds in named.items():
        monkeypatch.setattr(features, concept, kinds)


def reads(*names: str) -> SimpleNamespace:
    """A component that names these features."""
    return SimpleNamespace(features=names)


def scene(**settings: object) -> SceneSettings:
    """A scene with the channel hot, which names no feature."""
    return SceneSettings.model_validate({"channels": {"hot": {}}} | settings)


def test_features_are_those_of_all_components_of_the_scenes() -> None:
    adult = FILTERS["adult"].settings()
    dedup = RERANKERS["dedup"].settings()
    assert scene_features([]) == scene_features([scene()]) == frozenset()
    assert scene_features([scene(filters={"adult": adult})]) == {"impressions", "age"}
    assert scene_features([scene(), scene(rerank={"dedup": dedup})]) == {"impressions"}
    assert scene_features([scene(channels={"again": ChannelSettings()})]) == {"bought"}
    assert scene_features([scene(backfill=BackfillSettings(channel="near"))]) == {"place"}


def test_an_unknown_feature_is_refused_with_the_component_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "CHANNELS", {**CHANNELS})
    with pytest.raises(
        RegistrationError,
        match="the filter adult reads the query feature age, which is not registered; registered are impr",
    ):
        check_features()
    monkeypatch.setattr(features, "FILTERS", {"adult": reads("impressions")})
    check_features()
