"""The query features that a scene's components name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recall.registry import CHANNELS
from registration.registry import RegistrationError, Registry
from router.filters.registry import FILTERS
from router.rerank.registry import RERANKERS
from router.scenes.features import check_features, scene_features
from router.scenes.recall_settings import BackfillSettings, SceneChannel
from router.scenes.settings import SceneSettings


@pytest.fixture(autouse=True)
def naming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components that name features: one of each concept."""
    let_name(monkeypatch, CHANNELS, "again", "bought")
    let_name(monkeypatch, CHANNELS, "mind", "place")
    let_name(monkeypatch, FILTERS, "adult", "impressions", "age")
    let_name(monkeypatch, RERANKERS, "dedup", "impressions")


def let_name(monkeypatch: pytest.MonkeyPatch, registry: Registry[Any], name: str, *features: str) -> None:
    """Registers the component `name` as one that reads these features."""
    monkeypatch.setitem(registry._members, name, replace(registry[name], features=features))


def scene(**settings: object) -> SceneSettings:
    """A scene with the channel hot, which names no feature."""
    return SceneSettings.model_validate({"channels": {"hot": {}}} | settings)


def test_features_are_those_of_all_components_of_the_scenes() -> None:
    adult = FILTERS["adult"].settings()
    dedup = RERANKERS["dedup"].settings()
    assert scene_features([]) == scene_features([scene()]) == frozenset()
    assert scene_features([scene(filters={"adult": adult})]) == {"impressions", "age"}
    assert scene_features([scene(), scene(rerank={"dedup": dedup})]) == {"impressions"}
    assert scene_features([scene(channels={"again": SceneChannel()})]) == {"bought"}
    assert scene_features([scene(backfill=BackfillSettings(channel="mind"))]) == {"place"}


def test_an_unknown_feature_is_refused_with_the_component_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("again", "mind"):
        let_name(monkeypatch, CHANNELS, name)
    with pytest.raises(
        RegistrationError,
        match="the filter adult of shopfront reads the query feature age, which is not registered",
    ):
        check_features()
    let_name(monkeypatch, FILTERS, "adult", "impressions")
    check_features()
